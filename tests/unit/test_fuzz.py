"""Whatever a text holds, it is checked, mended and laid out; `python -m tests.fuzz_specs` tries many more."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz_specs import draw, try_text


@given(st.integers(0, 10**9))
@settings(max_examples=25, deadline=None)
def test_any_text_is_dealt_with(seed: int) -> None:
    try_text(draw(seed)[1])
