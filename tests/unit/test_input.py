"""The compiled input pipeline beside a plain NumPy one, and what must be exact."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from itertools import pairwise
from math import cos, sin

import numpy as np
import pytest

from netspec.kernels.random import key, uniform
from netspec.runtime.input import DRAWS, STREAM, Line, load_samples, stream
from netspec.training.augmentation import Augmentation, Hflip, Rotate, Shift, Zoom
from netspec.training.preparation import Normalize, Pad, Preparation, Range, prepared


class Setup:
    """A loader of one input and one field, with its staging buffers `x` and `y` for all samples."""

    def __init__(self, inputs: np.ndarray, augment: Sequence[Augmentation] = (), prepare: Sequence[Preparation] = ()) -> None:
        steps = prepared(tuple(prepare), inputs.shape[1:])
        self.shape, self.inputs = steps.shape, np.ascontiguousarray(inputs)
        self.x = np.full((len(inputs), int(np.prod(steps.shape))), np.nan, np.float32)
        self.y, self.rows = np.full((len(inputs), 1), np.nan, np.float32), np.arange(len(inputs), dtype=np.float32)[:, None]
        line = Line(self.inputs, steps.scale, steps.offset, steps.rings, inputs.ndim == 4, self.x)
        self.stream = stream([line], [(self.rows, self.y)], [step.move().row() for step in augment])

    def load(self, order: np.ndarray, start: int = 0, seed: int = 7, epoch: int = 3, first: int = 0, last: int | None = None) -> np.ndarray:
        load_samples(self.stream, order, start, seed, epoch, first, len(order) if last is None else last)
        return self.x


def run(
    inputs: np.ndarray, augment: Sequence[Augmentation] = (), prepare: Sequence[Preparation] = (), seed: int = 7, epoch: int = 3
) -> np.ndarray:
    """All samples, in order, as pictures."""
    made = Setup(inputs, augment, prepare)
    x = made.load(np.arange(len(inputs)), seed=seed, epoch=epoch)
    np.testing.assert_array_equal(made.y[:, 0], np.arange(len(inputs)))
    return x.reshape(-1, *made.shape)


def reference(inputs: np.ndarray, augment: Sequence[Augmentation], prepare: Sequence[Preparation], seed: int, epoch: int) -> np.ndarray:
    """The same in float64, step by step from the definitions: forward maps, inverted by NumPy; preparation one step after the other."""
    unit = inputs / 255 if inputs.dtype == np.uint8 else inputs.astype(np.float64)
    moved = np.stack([resampled(sample, backward(augment, seed, epoch, number, sample.shape)) for number, sample in enumerate(unit)])
    for step in prepare:
        moved = apply(step, moved)
    return moved


def backward(augment: Sequence[Augmentation], seed: int, epoch: int, number: int, shape: tuple[int, ...]) -> np.ndarray:
    """A 3x3 matrix from (y, x, 1) in the result to (y, x, 1) in the sample."""
    middle = np.array([[1, 0, (shape[1] - 1) / 2], [0, 1, (shape[2] - 1) / 2], [0, 0, 1]])
    whole = np.eye(3)
    for index, step in enumerate(augment):
        move = step.move()
        dy, dx, turn, size, flip = (uniform(key(seed, epoch, STREAM + index), number * DRAWS + k) for k in range(DRAWS))
        dy, dx, turn = (2 * dy - 1) * move.shift, (2 * dx - 1) * move.shift, (2 * turn - 1) * move.angle
        factor, mirror = move.smallest + size * (move.largest - move.smallest), -1 if flip < move.flip else 1
        turned = np.array([[cos(turn), sin(turn), 0], [-sin(turn), cos(turn), 0], [0, 0, 1]])
        moved = np.array([[1, 0, dy], [0, 1, dx], [0, 0, 1]])
        whole = moved @ turned @ np.diag([factor, factor, 1]) @ np.diag([1, mirror, 1]) @ whole
    return middle @ np.linalg.inv(whole) @ np.linalg.inv(middle)


def resampled(sample: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    _, h, w = sample.shape
    out = np.zeros_like(sample)
    for y in range(h):
        for x in range(w):
            sy, sx, _ = matrix @ [y, x, 1]
            top, left = int(np.floor(sy)), int(np.floor(sx))
            for j, i in ((0, 0), (0, 1), (1, 0), (1, 1)):
                if 0 <= top + j < h and 0 <= left + i < w:
                    share = (1 - abs(sy - top - j)) * (1 - abs(sx - left - i))
                    out[:, y, x] += share * sample[:, top + j, left + i]
    return out


def apply(step: Preparation, values: np.ndarray) -> np.ndarray:
    match step:
        case Pad(pixels=n):
            return np.pad(values, ((0, 0), (0, 0), (n, n), (n, n)))
        case Normalize(mean=mean, std=std):
            return (values - np.reshape(mean, (-1, 1, 1))) / np.reshape(std, (-1, 1, 1))
        case Range(low=low, high=high):
            return low + values * (high - low)
        case _:
            raise AssertionError(step)


RNG = np.random.default_rng(5)
DIGITS = RNG.integers(0, 256, (20, 1, 28, 28), np.uint8)
COLOURS = RNG.integers(0, 256, (9, 3, 13, 18), np.uint8)

CHAINS: dict[str, tuple[Sequence[Augmentation], Sequence[Preparation]]] = {
    "nothing": ((), ()),
    "shift": ((Shift(pixels=2),), ()),
    "far": ((Shift(pixels=40),), (Normalize(mean=0.2, std=0.5),)),
    "rotate": ((Rotate(angle=180),), ()),
    "zoom": ((Zoom(factor=(0.4, 2.5)),), ()),
    "hflip": ((Hflip(),), ()),
    "all": ((Hflip(), Shift(pixels=2), Rotate(angle=25), Zoom(factor=(0.9, 1.1)), Shift(pixels=1)), (Normalize(mean=0.1307, std=0.3081),)),
    "rings": ((), (Pad(pixels=2), Range(low=-0.1, high=1.175), Pad(pixels=1), Normalize(mean=0.5, std=0.25), Pad(pixels=3))),
    "moved_rings": ((Rotate(angle=10),), (Normalize(mean=0.5, std=0.25), Pad(pixels=2))),
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("inputs", [DIGITS, COLOURS], ids=["digits", "colours"])
def test_equals_numpy(chain: str, inputs: np.ndarray) -> None:
    augment, prepare = CHAINS[chain]
    np.testing.assert_allclose(run(inputs, augment, prepare), reference(inputs, augment, prepare, 7, 3), atol=2e-5)


def test_floats_are_taken_as_they_are() -> None:
    values = RNG.normal(size=(4, 2, 5, 6)).astype(np.float32)
    np.testing.assert_array_equal(run(values), values)
    np.testing.assert_allclose(run(values, (Rotate(angle=30),)), reference(values, (Rotate(angle=30),), (), 7, 3), atol=2e-5)


def test_what_is_no_picture_is_a_row() -> None:
    values = RNG.normal(size=(4, 7)).astype(np.float32)
    np.testing.assert_allclose(run(values, (), (Normalize(mean=0.5, std=2.0),)), (values - 0.5) / 2, rtol=1e-6)


def test_channels_have_their_own_scales() -> None:
    step = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    np.testing.assert_allclose(run(COLOURS, (), (step,)), apply(step, COLOURS / 255), atol=2e-6)


def test_a_mirror_is_exact() -> None:
    np.testing.assert_array_equal(run(COLOURS, (Hflip(probability=1),)), (COLOURS / np.float32(255))[..., ::-1])
    np.testing.assert_array_equal(run(COLOURS, (Hflip(probability=0),)), COLOURS / np.float32(255))
    mirrored = (run(DIGITS, (Hflip(),)) == DIGITS / np.float32(255)).all((1, 2, 3))
    assert 3 <= mirrored.sum() <= 17


def test_a_map_that_moves_nothing_is_exact() -> None:
    made = Setup(DIGITS, (Shift(pixels=0), Rotate(angle=0)))
    np.testing.assert_array_equal(made.load(np.arange(20)).reshape(DIGITS.shape), DIGITS / np.float32(255))


def test_what_comes_from_outside_is_zero() -> None:
    white = np.full((50, 1, 6, 6), 255, np.uint8)
    found = run(white, (Shift(pixels=30),))
    assert found.min() == 0 and found.max() <= 1
    gone = (found == 0).all((1, 2, 3)).sum()
    assert 25 < gone < 50


def test_draws_follow_the_sample_the_epoch_the_seed_and_the_step() -> None:
    chain = (Shift(pixels=2),)
    same = np.repeat(DIGITS[:1], 6, axis=0)
    base = run(same, chain)
    assert len({item.tobytes() for item in base}) == 6
    assert not np.array_equal(base, run(same, chain, epoch=4))
    assert not np.array_equal(base, run(same, chain, seed=8))
    np.testing.assert_array_equal(base, run(same, chain))
    shuffled = Setup(same, chain).load(np.array([5, 3, 1, 0, 2, 4]))
    np.testing.assert_array_equal(shuffled.reshape(base.shape), base[[5, 3, 1, 0, 2, 4]])


def test_several_inputs_and_fields_at_once() -> None:
    """Bytes and floats of any shape: pictures are moved, all of a sample by the same map, and what is no picture is not."""
    facts = RNG.normal(size=(20, 5, 2)).astype(np.float32)
    values = RNG.normal(size=(20, 3)).astype(np.float32)
    pictures = (DIGITS, DIGITS.astype(np.float32) / np.float32(255))
    outs = [np.full((4, size), np.nan, np.float32) for size in (784, 900, 10, 3)]
    plain, padded = prepared((), (1, 28, 28)), prepared((Pad(pixels=1),), (1, 28, 28))
    lines = [
        Line(array, how.scale, how.offset, how.rings, True, out)
        for array, how, out in zip(pictures, (plain, padded), outs[:2], strict=True)
    ]
    lines.append(Line(facts, (2.0,), (1.0,), (), False, outs[2]))
    chain = (Shift(pixels=2), Rotate(angle=20))
    order = np.array([3, 19, 0, 7])
    load_samples(stream(lines, [(values, outs[3])], [step.move().row() for step in chain]), order, 0, 7, 3, 0, 4)
    moved = run(DIGITS, chain)[order]
    np.testing.assert_array_equal(outs[0].reshape(4, 1, 28, 28), moved)
    np.testing.assert_array_equal(outs[1].reshape(4, 1, 30, 30), np.pad(moved, ((0, 0), (0, 0), (1, 1), (1, 1))))
    np.testing.assert_array_equal(outs[2].reshape(4, 5, 2), facts[order] * 2 + 1)
    np.testing.assert_array_equal(outs[3], values[order])


def test_a_part_writes_its_rows_alone() -> None:
    order = np.arange(20)[::-1].copy()
    whole, parts = (Setup(DIGITS, *CHAINS["moved_rings"]) for _ in range(2))
    whole.load(order, start=5, last=8)
    assert whole.y[:8, 0].tolist() == [14, 13, 12, 11, 10, 9, 8, 7]
    parts.load(order, start=5, first=2, last=5)
    np.testing.assert_array_equal(parts.x[2:5], whole.x[2:5])
    assert np.isnan(parts.x[:2]).all() and np.isnan(parts.x[5:]).all()


def test_threads_give_the_same_bits() -> None:
    one, several = (Setup(DIGITS, *CHAINS["all"]) for _ in range(2))
    one.load(np.arange(20))
    cuts = [0, 3, 4, 11, 20]
    workers = [threading.Thread(target=several.load, args=(np.arange(20), 0, 7, 3, first, last)) for first, last in pairwise(cuts)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert one.x.tobytes() == several.x.tobytes()


def test_a_seed_of_any_size_is_taken_modulo_its_bits() -> None:
    np.testing.assert_array_equal(run(DIGITS, (Shift(pixels=2),), seed=7), run(DIGITS, (Shift(pixels=2),), seed=7 + (1 << 40)))


def test_compiled_code_is_kept_in_the_private_folder(tmp_path: object) -> None:
    """A second process compiles nothing; the user's own cached functions stay where Numba puts them."""
    code = (
        "import numba; before = numba.config.CACHE_DIR\n"
        "from netspec.runtime.input import load_samples\n"
        "assert numba.config.CACHE_DIR == before\n"
        "from netspec.runtime import input as pipeline\n"
        "import numpy as np\n"
        "given, out = np.zeros((1, 1, 2, 2), np.uint8), np.zeros((1, 4), np.float32)\n"
        "how = pipeline.stream([pipeline.Line(given, [1], [0], [], True, out)], [], [])\n"
        "load_samples(how, np.arange(1), 0, 0, 0, 0, 1)\n"
        "print(sum(load_samples.stats.cache_hits.values()), load_samples.stats.cache_path)\n"
    )
    environment = {**os.environ, "NETSPEC_CACHE": f"{tmp_path}/cache"}
    for hits in (0, 1):
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        found, path = done.stdout.split()
        assert int(found) == hits
        assert path.startswith(f"{tmp_path}/cache/numba-")
