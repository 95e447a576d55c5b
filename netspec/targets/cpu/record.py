"""How a launch lies in memory, as 64-bit numbers: what the compiled drivers and tiles read and the runtime writes.

First the header: the address of the step's scalars, the extents of the loops around the tile (the innermost first) and of those in it. Then
one record per operand.
"""

from __future__ import annotations

SCALARS = 0
LOOP_EXTENT, REDUCE_EXTENT = 1, 8
HEADER = 12

ADDRESS, PRIVATE, BLOCK, PART = 0, 1, 2, 3
LOOP = 4
ROW, VECTOR, LANE = 11, 12, 13
REDUCE = 14
NEAR = REDUCE
"""A tile with neighbours of operands has no loops in it."""
SIZE, STEP = 18, 19
RECORD = 20


def field(operand: int, name: int) -> int:
    """The place of a field of an operand's record."""
    return HEADER + operand * RECORD + name
