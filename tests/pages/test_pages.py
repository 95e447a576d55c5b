"""The catalogue of codes: every failing example fails by its code alone, reads as its golden file, and its mended one is sound."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from netspec.explain.pages import Example, codes, page
from netspec.layers import LAYERS

HERE = Path(__file__).parent
CODES = codes()


def of(kind: str) -> list[object]:
    """The examples of a kind, from all pages."""
    found: list[object] = []
    for code in CODES:
        examples = [item for item in page(code).examples if item.kind == kind]
        found += [pytest.param(code, example, id=f"{code}-{k}") for k, example in enumerate(examples)]
    return found


def test_the_catalogue_is_large() -> None:
    assert len(CODES) >= 45


@pytest.mark.parametrize("code", CODES)
def test_a_page_says_what_why_and_how(code: str) -> None:
    found = page(code)
    assert found.title
    assert not found.title.endswith(".")
    assert isinstance(found.parts[0], str), "a page begins with what the code means"
    kinds = [example.kind for example in found.examples]
    assert kinds == ["failing", "mended"] * (len(kinds) // 2)
    assert kinds


@pytest.mark.parametrize("code", CODES)
def test_a_failing_example_reads_as_it_should(code: str, golden: Callable[[Path, str], None]) -> None:
    shown = [example.rendered() for example in page(code).examples if example.kind == "failing"]
    golden(HERE / f"{code}.txt", "\n\n".join(shown) + "\n")


@pytest.mark.parametrize(("code", "example"), of("failing"))
def test_a_failing_example_fails_by_its_code_alone(code: str, example: Example) -> None:
    assert {item.code for item in example.diagnostics()} == {code}


@pytest.mark.parametrize(("code", "example"), of("mended"))
def test_a_mended_example_is_sound(code: str, example: Example) -> None:
    assert not example.diagnostics(), example.rendered()


@pytest.mark.parametrize("code", CODES)
def test_pages_name_layers_that_exist(code: str) -> None:
    """What a page's prose shows as code and calls like a layer is one."""
    calls = {name for part in page(code).parts if isinstance(part, str) for name in re.findall(r"`([a-z_]+)\(", part)}
    functions = {"floor", "ceil", "round", "round8", "warmup", "cosine", "share"}
    assert calls <= set(LAYERS) | functions
