"""Many random nets by hand: `python -m tests.backend.fuzz 2000 [first seed]` prints the worst deviation per template and failing seeds.

Two comparisons per net: compiled float32 code with the float64 reference, and that with PyTorch in float64.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter

from tests.backend.compiled import ORDERS
from tests.backend.nets import TEMPLATES, random_net
from tests.backend.steps import apart_from_pytorch, check_net
from tests.backend.test_nets import SLACK

IMAGES = (1, 5, 16, 17)
SAME = 1e-8
"""Relative error up to which two float64 results are the same."""


def main(count: int, first: int = 0) -> int:
    """Try the nets of so many seeds; the number of failures."""
    names = [template.__name__ for template in TEMPLATES]
    worst, apart, tried, failures = dict.fromkeys(names, (0.0, -1)), dict.fromkeys(names, 0.0), Counter[str](), list[str]()
    start = time.monotonic()
    for seed in range(first, first + count):
        order, images, name = ORDERS[seed // len(names) % 2], IMAGES[seed // (2 * len(names)) % 4], names[seed % len(names)]
        tried[name] += 1
        try:
            found = check_net(random_net(seed), order, images=images, batch=32, seed=seed)
            judged = apart_from_pytorch(random_net(seed), images=max(2, images), seed=seed)  # PyTorch refuses the variance of one value
        except Exception as error:
            traceback.print_exc()
            failures.append(f"{name} {seed} ({order}, {images} images): {type(error).__name__}: {error}")
            continue
        worst[name], apart[name] = max(worst[name], (found, seed)), max(apart[name], judged)
        if found >= SLACK or judged >= SAME:
            failures.append(f"{name} {seed} ({order}, {images} images): {found:.1f} times the tolerance, {judged:.0e} from PyTorch")
            print(failures[-1], flush=True)
    for name, (deviation, seed) in worst.items():
        print(f"{name}: {tried[name]} nets, worst deviation {deviation:.2f} of the tolerance (seed {seed}), {apart[name]:.0e} from PyTorch")
    print(f"{count} nets in {time.monotonic() - start:.0f} s, {len(failures)} failures", *failures, sep="\n  ")
    return len(failures)


if __name__ == "__main__":
    sys.exit(1 if main(*map(int, sys.argv[1:])) else 0)
