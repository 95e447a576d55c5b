"""Windows against loops that count: how often they fit, what they read, what an average divides by. Nothing but Python is needed."""

from __future__ import annotations

import numpy as np
import pytest
from harness import lowered
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netspec.layers import LAYERS
from netspec.layers.window import Slide
from netspec.runtime import reference

SLIDES = st.builds(
    Slide,
    size=st.integers(1, 12),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    before=st.integers(0, 2),
    after=st.integers(0, 2),
    ceil=st.booleans(),
)


def starts(slide: Slide) -> list[int]:
    """Where windows start: each that fits, and with `ceil` one more if something is left for it that is not all padding."""
    found = [
        start for start in range(-slide.before, slide.size + slide.after, slide.stride) if start + slide.span <= slide.size + slide.after
    ]
    following = found[-1] + slide.stride
    left_over = found[-1] + slide.span < slide.size + slide.after
    return [*found, following] if slide.ceil and left_over and following < slide.size else found


@given(SLIDES)
@settings(max_examples=300, deadline=None)
def test_windows_are_counted(slide: Slide) -> None:
    assume(slide.size + slide.before + slide.after >= slide.span)
    assume(not slide.ceil or max(slide.before, slide.after) <= slide.kernel // 2)  # only pools overhang, and they take no more
    found = starts(slide)
    assert slide.count == len(found)
    assert slide.inside == (found[0] >= 0 and found[-1] + slide.span <= slide.size)
    assert slide.overhangs == (found[-1] + slide.span > slide.size + slide.after)


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_same_gives_one_result_per_stride_and_half_keeps_the_size(size: int, k: int, stride: int, dilation: int) -> None:
    same = LAYERS["conv"](c=1, k=k, stride=stride, dilation=dilation, pad="same")
    assert same.infer((1, size, size)) == (1, -(-size // stride), -(-size // stride))
    pads = same.pads((1, size, size))
    assert pads is not None
    assert all(after - before in (0, 1) for before, after in pads)
    half = LAYERS["conv"](c=1, k=2 * k - 1, dilation=dilation, pad="half")
    assert half.infer((1, size, size)) == (1, size, size)


@pytest.mark.parametrize("count_pad", [True, False])
@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(("k", "stride", "pad"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (4, 3, 2), (3, 2, "same")])
@pytest.mark.parametrize("size", [5, 6, 7, 8])
def test_averages_divide_by_what_counts(size: int, k: int, stride: int, pad: object, ceil: bool, count_pad: bool) -> None:
    layer, shape = LAYERS["avgpool"](k=k, stride=stride, pad=pad, ceil=ceil, count_pad=count_pad), (1, size, 8)
    (top, bottom), (left, right) = layer.pads(shape) or ()
    x = np.random.default_rng(0).standard_normal((2, *shape))
    expected = np.array(
        [
            [
                [
                    average(picture, (row, column), k, count_pad, ((top, bottom), (left, right)))
                    for column in starts(Slide(8, k, stride, 1, left, right, ceil))
                ]
                for row in starts(Slide(size, k, stride, 1, top, bottom, ceil))
            ]
            for picture in x[:, 0]
        ]
    )
    np.testing.assert_allclose(reference.run(lowered(layer, (shape,), training=False), {"x": x})["y"][:, 0], expected, atol=1e-12)


def average(picture: np.ndarray, start: tuple[int, int], k: int, count_pad: bool, pads: tuple[tuple[int, int], ...]) -> float:
    total, count = 0.0, 0
    for row, column in np.ndindex(k, k):
        place = (start[0] + row, start[1] + column)
        if all(0 <= at < size for at, size in zip(place, picture.shape, strict=True)):
            total, count = total + picture[place], count + 1
        elif count_pad and all(-pad[0] <= at < size + pad[1] for at, size, pad in zip(place, picture.shape, pads, strict=True)):
            count += 1
    return total / count


@pytest.mark.parametrize("pad", [0, 1, (1, (0, 2)), "same", "half"])
@pytest.mark.parametrize(("k", "stride", "dilation"), [((3, 2), 1, 1), (3, 2, 1), (2, (1, 3), 2)])
def test_a_convolution_is_its_loops(k: int | tuple[int, int], stride: int | tuple[int, int], dilation: int, pad: object) -> None:
    shape = (4, 7, 8)
    layer = LAYERS["conv"](c=2, k=k, stride=stride, dilation=dilation, pad=pad, groups=2)
    graph, draw = lowered(layer, (shape,), training=False), np.random.default_rng(0)
    x, bias = draw.standard_normal((1, *shape)), draw.standard_normal(2)
    (top, _), (left, _) = layer.pads(shape) or ()
    weight = draw.standard_normal(tuple(int(extent) for extent in graph.types["weight"].type.shape))
    found = reference.run(graph, {"x": x, "weight": weight, "bias": bias})["y"][0]
    steps = stride if isinstance(stride, tuple) else (stride, stride)
    for c, h, w in np.ndindex(*found.shape):
        expected = bias[c]
        for i, a, b in np.ndindex(*weight.shape[1:]):
            row, column = h * steps[0] + a * dilation - top, w * steps[1] + b * dilation - left
            if 0 <= row < 7 and 0 <= column < 8:
                expected += x[0, c * 2 + i, row, column] * weight[c, i, a, b]
        assert found[c, h, w] == pytest.approx(expected, abs=1e-12)
