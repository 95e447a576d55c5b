"""How a launch lies in memory, as 64-bit numbers: what the compiled drivers and tiles read and the runtime writes.

First the header: the address of the step's scalars, then the extents of the loops. Then one record per operand.
"""

from __future__ import annotations

SCALARS = 0
TASK_EXTENT, INNER_EXTENT, REDUCE_EXTENT = 1, 5, 8
HEADER = 12

ADDRESS, PRIVATE, BLOCK, PART = 0, 1, 2, 3
TASK, INNER = 4, 8
ROW, VECTOR, LANE = 11, 12, 13
REDUCE = 14
SIZE, STEP = 17, 18
RECORD = 20


def field(operand: int, name: int) -> int:
    """The place of a field of an operand's record."""
    return HEADER + operand * RECORD + name
