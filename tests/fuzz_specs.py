"""Many random texts by hand: `python -m tests.fuzz_specs 2000 [first seed]` prints inputs, crashes and the slowest text of each kind.

Texts of the grammar, bundled specs and examples laid out anyhow, and both with tokens left out, doubled, swapped and replaced: each is
checked, mended and laid out. Whatever is wrong with it, that is a diagnostic; what can be parsed keeps its tree when it is laid out.
"""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path
from random import Random

from netspec.checking import check_source
from netspec.diagnostics import Source, SpecError
from netspec.report import Report
from netspec.sources import specs
from netspec.syntax.format import layout
from netspec.syntax.parse import parse
from netspec.syntax.text import text as tree_text
from netspec.tools.fixes import mend
from tests.random_specs import mutated, relaid, spec

FILES = [*specs(), *sorted((Path(__file__).parent / "examples").glob("*.net"))]
KINDS = ("of the grammar", "a file laid out", "of the grammar, mutated", "a file, mutated")


def draw(seed: int) -> tuple[str, str]:
    """The kind of a seed's text, and the text."""
    random, kind = Random(seed), KINDS[seed % len(KINDS)]
    text = spec(random) if "grammar" in kind else relaid(random, random.choice(FILES).read_text(encoding="utf-8"))
    return kind, mutated(random, text) if "mutated" in kind else text


def check(source: Source) -> Report:
    """The report of a text, in all its forms."""
    report = check_source(source, {}, net=None, target="plain")
    for form in (report.to_text, report.to_markdown, report.to_json, report.to_concise, report.to_github, report.problems):
        form()
    return report


def try_text(text: str) -> None:
    """Check, mend and lay out a text. Raises AssertionError, or whatever nobody foresaw."""
    source = Source("a.net", text)
    before = check(source)
    done = mend(source, lambda changed: check_source(changed, {}, net=None, target="plain"))
    syntax = [sum(item.code < "E01" for item in report.diagnostics) for report in (before, done.report)]
    assert syntax[1] <= syntax[0], "mended, it parses worse"
    try:
        tree = parse(text, "a.net")
    except SpecError:
        return
    after = layout(text)
    assert tree_text(parse(after, "a.net"), places=False) == tree_text(tree, places=False), "laid out, it says something else"
    assert layout(after) == after, "laid out again, it changes"


def main(count: int, first: int = 0) -> int:
    """Try the texts of so many seeds; the number of failures."""
    slowest, failures = dict.fromkeys(KINDS, (0.0, -1, 0)), 0
    start = time.monotonic()
    for seed in range(first, first + count):
        kind, text = draw(seed)
        began = time.process_time()
        try:
            try_text(text)
        except Exception:
            traceback.print_exc()
            print(f"seed {seed}, {kind}", flush=True)
            failures += 1
        slowest[kind] = max(slowest[kind], (time.process_time() - began, seed, len(text)))
    for kind, (seconds, seed, size) in slowest.items():
        print(f"{kind}: slowest {seconds:.2f} s, {size:,} characters (seed {seed})")
    print(f"{count} texts in {time.monotonic() - start:.0f} s, {failures} failures")
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(*map(int, sys.argv[1:])) else 0)
