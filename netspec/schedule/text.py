"""A program as text: what is compiled, where memory lies, what runs in which order."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.schedule.program import Launch, Loop, Operand, Program, Segment, Tile


def text(program: Program) -> str:
    """The same text for equal programs."""
    return "\n".join(line.rstrip() for line in _lines(program)) + "\n"


def _lines(program: Program) -> Iterator[str]:
    target = program.target
    yield f"program {program.name} for {target.name}: up to {program.batch} images, {program.layout} along {target.lanes} lanes"
    numbers = {tile: f"tile{i}" for i, tile in enumerate(program.tiles)}
    yield f"  {len(numbers)} tiles, {len(program.launches)} launches in {len(program.load) + len(program.segments)} segments"
    yield ""
    for space, size in program.spaces.items():
        if size:
            yield f"arena {space}: {4 * size:,} bytes{' per thread' if space == 'private' else ''}"
    for buffer in program.buffers.values():
        yield f"  {buffer.name}: {buffer.space} {buffer.size} floats at {buffer.offset}"
    if program.constants:
        yield f"constants: {', '.join(f'{value:.9g}' for value in program.constants)}"
    yield ""
    for tile, name in numbers.items():
        yield f"{name}: {tile}"
        yield f"    {_operands(tile)}"
    for segment in program.load:
        yield ""
        yield "once, when weights are loaded:"
        yield from (line for launch in segment.launches for line in _launch(launch, numbers))
    for segment in program.segments:
        yield ""
        yield from _segment(segment, numbers)


def _operands(tile: Tile) -> str:
    shown: list[str] = []
    for number, kind in enumerate(tile.kinds):
        moved = " by row and vector" if kind.rows and kind.vectors else " by row" if kind.rows else " by vector" if kind.vectors else ""
        what = "" if kind.what == "memory" else f"{kind.what} "
        shown.append(f"s{number} {what}{_ALONG[kind.lane]}{moved}")
    return "; ".join(shown)


_ALONG = {"vector": "lanes side by side", "same": "one for all lanes", "strided": "lanes apart"}


_SHARED = {
    "together": "all threads share each of these",
    "by_image": "each thread takes its images through all of these, one by one",
    "apart": "each thread takes its blocks of images through all of these",
}


def _segment(segment: Segment, numbers: dict[Tile, str]) -> Iterator[str]:
    parts = f", sums in {segment.parts} parts" if segment.mode == "apart" and segment.parts else ""
    yield f"{_SHARED[segment.mode]}{parts}:"
    for launch in segment.launches:
        yield from _launch(launch, numbers)


def _launch(launch: Launch, numbers: dict[Tile, str]) -> Iterator[str]:
    groups = (("around", launch.loops), ("in the tile", launch.reduce))
    loops = "; ".join(f"{what} {_loops(group)}" for what, group in groups if group)
    yield f"  {launch.name} = {numbers[launch.tile]}({', '.join(_operand(item) for item in launch.operands)})"
    if loops:
        yield f"      {loops}"


def _loops(loops: tuple[Loop, ...]) -> str:
    return ", ".join(f"{loop.axis}<{loop.extent}" for loop in loops)


def _operand(operand: Operand) -> str:
    if operand.buffer is None:
        return str(operand.offset)
    return f"{operand.buffer}+{operand.offset}" if operand.offset else operand.buffer
