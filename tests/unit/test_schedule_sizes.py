"""Every size can be scheduled, on every target: primes, sizes that are split twice, batches of one and of thousands."""

from __future__ import annotations

import pytest

from netspec.model import load
from netspec.show import show

SPEC = """net A {{
  input image[1, 28, 28]
  flatten
  for width in [{0}, {0}] {{ dense(width) -> relu }}
  dense(10)
}}
train A {{ data = mnist5k; loss = cross_entropy; optimizer = sgd(lr=0.1, momentum=0.9); epochs = 1; batch = {1} }}
"""


@pytest.mark.parametrize("target", ["avx512", "avx2", "plain"])
@pytest.mark.parametrize("batch", [1, 64, 4500])
@pytest.mark.parametrize("width", [1, 67, 1009, 1500, 2000])
def test_wide_layers(width: int, batch: int, target: str) -> None:
    text = show(load(SPEC.format(width, batch)), "program", target=target, mode="train")
    assert text.startswith(f"program A for {target}: up to {batch} images, ")
