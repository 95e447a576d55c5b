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
from netspec.runtime.input import DRAWS, STREAM, Source, Tables, load_samples, source, tables
from netspec.training.augmentation import Augmentation, Hflip, Rotate, Shift, Zoom
from netspec.training.preparation import Normalize, Pad, Preparation, Range, prepared


def setup(inputs: np.ndarray, augment: Sequence[Augmentation] = (), prepare: Sequence[Preparation] = ()) -> tuple[Source, Tables]:
    steps = prepared(tuple(prepare), inputs.shape[1:])
    targets = np.arange(len(inputs), dtype=np.int64)
    rows = [step.move().row() for step in augment]
    return source(inputs, targets), tables(inputs, rows, steps.scale, steps.offset, steps.rings)


def run(
    inputs: np.ndarray, augment: Sequence[Augmentation] = (), prepare: Sequence[Preparation] = (), seed: int = 7, epoch: int = 3
) -> np.ndarray:
    """All samples, in order, as pictures."""
    given, how = setup(inputs, augment, prepare)
    shape = prepared(tuple(prepare), inputs.shape[1:]).shape
    x, y = np.full((len(inputs), int(np.prod(shape))), np.nan, np.float32), np.full((len(inputs), 1), np.nan, np.float32)
    load_samples(given, how, np.arange(len(inputs)), 0, seed, epoch, x, y, 0, len(inputs))
    np.testing.assert_array_equal(y[:, 0], np.arange(len(inputs)))
    return x.reshape(-1, *shape)


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
    given, how = setup(DIGITS)
    found = np.zeros((20, 784), np.float32)
    still = how._replace(moves=np.array([[0, 0, 1, 1, 0], [0, 0, 1, 1, 0]], np.float32))
    load_samples(given, still, np.arange(20), 0, 1, 1, found, np.zeros((20, 1), np.float32), 0, 20)
    np.testing.assert_array_equal(found.reshape(DIGITS.shape), DIGITS / np.float32(255))


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
    given, how = setup(same, chain)
    x, y = np.zeros((6, 784), np.float32), np.zeros((6, 1), np.float32)
    load_samples(given, how, np.array([5, 3, 1, 0, 2, 4]), 0, 7, 3, x, y, 0, 6)
    np.testing.assert_array_equal(x.reshape(base.shape), base[[5, 3, 1, 0, 2, 4]])


def test_evaluation_moves_nothing() -> None:
    given, how = setup(DIGITS, (Rotate(angle=90),))
    x = np.zeros((20, 784), np.float32)
    load_samples(given, how.unmoved(), np.arange(20), 0, 7, 3, x, np.zeros((20, 1), np.float32), 0, 20)
    np.testing.assert_array_equal(x.reshape(DIGITS.shape), DIGITS / np.float32(255))


def test_a_part_writes_its_rows_alone() -> None:
    given, how = setup(DIGITS, *CHAINS["moved_rings"])
    order = np.arange(20)[::-1].copy()
    whole, parts = np.zeros((8, 1024), np.float32), np.full((8, 1024), np.nan, np.float32)
    labels = np.zeros((8, 1), np.float32)
    load_samples(given, how, order, 5, 7, 3, whole, labels, 0, 8)
    assert labels[:, 0].tolist() == [14, 13, 12, 11, 10, 9, 8, 7]
    load_samples(given, how, order, 5, 7, 3, parts, labels, 2, 5)
    np.testing.assert_array_equal(parts[2:5], whole[2:5])
    assert np.isnan(parts[:2]).all() and np.isnan(parts[5:]).all()


def test_threads_give_the_same_bits() -> None:
    given, how = setup(DIGITS, *CHAINS["all"])
    one, several = np.zeros((20, 784), np.float32), np.zeros((20, 784), np.float32)
    y = np.zeros((20, 1), np.float32)
    load_samples(given, how, np.arange(20), 0, 7, 3, one, y, 0, 20)
    cuts = [0, 3, 4, 11, 20]
    workers = [
        threading.Thread(target=load_samples, args=(given, how, np.arange(20), 0, 7, 3, several, y, first, last))
        for first, last in pairwise(cuts)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert one.tobytes() == several.tobytes()


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
        "given = pipeline.source(np.zeros((1, 1, 2, 2), np.uint8), None)\n"
        "how = pipeline.tables(np.zeros((1, 1, 2, 2), np.uint8), [], [1], [0], [])\n"
        "load_samples(given, how, np.arange(1), 0, 0, 0, np.zeros((1, 4), np.float32), np.zeros((1, 0), np.float32), 0, 1)\n"
        "print(sum(load_samples.stats.cache_hits.values()), load_samples.stats.cache_path)\n"
    )
    environment = {**os.environ, "NETSPEC_CACHE": f"{tmp_path}/cache"}
    for hits in (0, 1):
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        found, path = done.stdout.split()
        assert int(found) == hits
        assert path.startswith(f"{tmp_path}/cache/numba-")
