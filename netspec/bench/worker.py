"""A process of the bench: `python -m netspec.bench.worker NAME FOLDER THREADS` does with one candidate what standard input says."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def keep_to(threads: int) -> None:
    """As many cores as threads: not every library lets itself be told how many threads to make, but all look how many cores there are."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def main(name: str, folder: Path) -> None:
    """Answer until there is no more to be asked."""
    from netspec.bench.process import Process

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    process = Process(name, folder)
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(process.answer(asked.pop("do"), asked)) + "\n")
        answers.flush()


if __name__ == "__main__":
    keep_to(int(sys.argv[3]))
    main(sys.argv[1], Path(sys.argv[2]))
