"""Random numbers as a function of (seed, step, stream, position) and of nothing else: layout, threads and schedule cannot matter.

This is the definition, on plain integers modulo 2**32; the reference and every target compute the same bits.
"""

from __future__ import annotations

MASK = 0xFFFFFFFF
GOLDEN = 0x9E3779B9
"""2**32 divided by the golden ratio: neighbouring positions are spread far apart before they are mixed."""


def mix(x: int) -> int:
    """A bijection of 32-bit integers in which every input bit flips every output bit half the time (lowbias32, Wellons 2018)."""
    x = (x ^ (x >> 16)) * 0x7FEB352D & MASK
    x = (x ^ (x >> 15)) * 0x846CA68B & MASK
    return x ^ (x >> 16)


def key(seed: int, step: int, stream: int) -> int:
    """What all numbers of one stream in one step share."""
    return mix(mix(mix(seed & MASK) ^ (step & MASK)) ^ (stream & MASK))


def uniform(key: int, position: int) -> float:
    """A number in [0, 1) with 24 bits, which float32 holds exactly."""
    return (mix((position * GOLDEN + key) & MASK) >> 8) * 2.0**-24
