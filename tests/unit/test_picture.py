"""Pictures: what shares a box, and a layout in which nothing lies on anything else."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from elaborated import net as of_body
from elaborated import sound

from netspec import sources
from netspec.diagnostics import UserError
from netspec.elaborate import CheckedNet, elaborate
from netspec.picture import FORMS, Form, picture
from netspec.picture.boxes import Drawing, drawing
from netspec.picture.lanes import grid
from netspec.picture.layout import SMALL_CHARACTER, Layout, layout
from netspec.syntax.parse import parse

GOLDEN = Path(__file__).parents[1] / "golden"
BRANCHES = str(GOLDEN / "branches.net")
Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@cache
def checked(name: str) -> CheckedNet:
    found = sources.find(name)
    return elaborate(parse(found.source.text, found.source.file), found.source, net=found.net).nets[0]


def titles(drawn: Drawing) -> list[str]:
    return [box.title for box in drawn.boxes]


LAYOUTS = [
    pytest.param(name, unfold, id=f"{Path(name).stem}{' unfolded' * unfold}")
    for name in ("LeNet5", "ResNet18", "DenseNet121", "MobileNetV2", "SqueezeNet1_1", BRANCHES)
    for unfold in (False, True)
    if not (unfold and name == "DenseNet121")
]


def boxes(found: Layout) -> list[Rectangle]:
    return [(item.x, item.y, item.x + item.width, item.bottom) for item in found.placed]


def texts(found: Layout) -> list[Rectangle]:
    return [(item.x, item.y - 9, item.x + len(item.text) * SMALL_CHARACTER, item.y + 2) for item in found.labels]


def strokes(found: Layout) -> Iterator[Rectangle]:
    """The straight pieces of all edges, without the ends that touch their boxes."""
    for line in found.lines:
        (ax, ay), *_, (bx, by) = line
        inner = [(ax, ay + 1), *line[1:-1], (bx, by - 1)]
        yield from ((min(p[0], q[0]), min(p[1], q[1]), max(p[0], q[0]), max(p[1], q[1])) for p, q in pairwise(inner))


def overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def touch(a: Rectangle, b: Rectangle) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


@pytest.mark.parametrize(("name", "unfold"), LAYOUTS)
def test_nothing_lies_on_anything_else(name: str, unfold: bool) -> None:
    """Boxes and texts are apart, no edge crosses a box or a text, and all is on the page."""
    found = layout(drawing(checked(name), unfold=unfold))
    solid = [*boxes(found), *texts(found)]
    assert not [(a, b) for a, b in combinations(solid, 2) if overlap(a, b)]
    assert not [(a, b) for a in strokes(found) for b in boxes(found) if touch(a, b)]
    assert not [(a, b) for a in strokes(found) for b in texts(found) if touch(a, b)]
    assert all(left >= 0 and top >= 0 and right <= found.width and bottom <= found.height for left, top, right, bottom in solid)


@pytest.mark.parametrize(("name", "unfold"), LAYOUTS)
def test_edges_of_different_tensors_share_no_stretch(name: str, unfold: bool) -> None:
    """Lines may cross; where two run along each other they leave one box or enter one."""
    found = layout(drawing(checked(name), unfold=unfold))
    pieces = [
        (route, piece)
        for route, line in zip(dict.fromkeys((e.source, e.target) for e in found.drawing.edges), found.lines, strict=True)
        for piece in pairwise(line)
    ]
    for (a, ((ax, ay), (bx, by))), (b, ((cx, cy), (dx, dy))) in combinations(pieces, 2):
        if a[0] == b[0] or a[1] == b[1]:
            continue
        upright = ax == bx == cx == dx and max(min(ay, by), min(cy, dy)) < min(max(ay, by), max(cy, dy))
        level = ay == by == cy == dy and max(min(ax, bx), min(cx, dx)) < min(max(ax, bx), max(cx, dx))
        assert not upright, (a, b)
        assert not level, (a, b)


@pytest.mark.parametrize("name", ["LeNet5", "ResNet18", BRANCHES])
def test_every_edge_leads_from_its_box_to_its_box(name: str) -> None:
    found = layout(drawing(checked(name), unfold=True))
    joined = dict.fromkeys((edge.source, edge.target) for edge in found.drawing.edges)
    assert len(joined) == len(found.lines)
    for (source, target), line in zip(joined, found.lines, strict=True):
        start, end = found.placed[source], found.placed[target]
        assert line[0] == (start.middle, start.bottom)
        assert line[-1] == (end.middle, end.y)
        assert all(a[1] <= b[1] for a, b in pairwise(line)), "an edge never goes up"
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(line))


def test_what_shares_a_box() -> None:
    drawn = drawing(checked("LeNet5"))
    assert titles(drawn)[:4] == ["image", "conv(6, 5x5, pad=2)", "maxpool(2)", "conv(16, 5x5)"]
    assert drawn.boxes[1].lines == ["conv(6, 5x5, pad=2)", "relu"]
    assert sum(box.params for box in drawn.boxes) == 61_706
    assert drawn.labels[drawn.edges[2].tensor] == "c1 [6, 14, 14]"


def test_blocks_are_folded_and_repeats_counted() -> None:
    found = titles(drawing(checked("DenseNet121")))
    assert [title for title in found if title.startswith("dense_layer")] == [f"dense_layer(32)  x{n}" for n in (6, 12, 24, 16)]
    folded, unfolded = drawing(checked("ResNet18")), drawing(checked("ResNet18"), unfold=True)
    assert "basic(64, stride=1)  x2" in titles(folded)
    assert not any("basic" in title or "  x" in title for title in titles(unfolded))
    assert sum(box.params for box in folded.boxes) == sum(box.params for box in unfolded.boxes) == 11_689_512


def test_a_block_of_activations_stands_where_an_activation_would() -> None:
    drawn = drawing(
        sound("block squash { stanh(1.7159, 2/3) -> dropout(0.1) }\n" + of_body("conv(4, 3x3) -> squash -> maxpool(2) -> squash"))
    )
    assert [box.lines for box in drawn.boxes] == [["x"], ["conv(4, 3x3)", "squash"], ["maxpool(2)", "squash"], ["output"]]


def test_what_several_read_stands_alone() -> None:
    """An activation that follows a tensor which something else reads too is a box of its own, and repeats end there."""
    drawn = drawing(sound(of_body("a: conv(4, 3x3, pad=1)\nrelu -> add(a)\nconv(4, 1x1) -> conv(4, 1x1)")))
    assert titles(drawn) == ["x", "conv(4, 3x3, pad=1)", "relu", "add", "conv(4, 1x1)  x2", "output"]


def test_a_block_with_inner_values_read_from_outside() -> None:
    block = "block down(c) {\n keep: conv(c, 3x3, pad=1) -> relu\n maxpool(2)\n}\n"
    body = "d: down(4)\nup: conv(4, 1x1)\noutput up\nfrom d.keep -> gap\noutput k: dense(2)"
    text = block + of_body(body)
    found = layout(drawing(sound(text)))
    assert [label.text for label in found.labels][1:3] == ["d [4, 4, 4]", "[4, 8, 8]"]
    assert not [(a, b) for a, b in combinations([*boxes(found), *texts(found)], 2) if overlap(a, b)]


def test_nested_skips_lie_inside_of_each_other() -> None:
    """As in a U-Net: the longer the edge, the farther out its lane."""
    found = grid(7, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (2, 4), (1, 5), (0, 6)])
    lane = {(route.source, route.target): route.lane for route in found.routes}
    assert set(found.lane) == {0}
    assert 0 < lane[2, 4] < lane[1, 5] < lane[0, 6]


@pytest.mark.parametrize("name", ["LeNet5", BRANCHES], ids=["lenet5", "branches"])
@pytest.mark.parametrize("form", FORMS)
def test_the_whole_text(name: str, form: Form, golden: Callable[[Path, str], None]) -> None:
    stem = "branches" if name == BRANCHES else "lenet5"
    golden(GOLDEN / f"{stem}_picture.{form}", picture(checked(name), form))


@pytest.mark.parametrize("name", ["ResNet18", BRANCHES])
def test_svg_is_sound_xml_without_script_or_reference(name: str) -> None:
    root = ET.fromstring(picture(checked(name), "svg"))
    assert {item.tag.rpartition("}")[2] for item in root.iter()} == {"svg", "title", "desc", "style", "marker", "path", "text", "rect"}
    assert not any("href" in key or key.startswith("on") for item in root.iter() for key in item.attrib)


def test_strings_of_a_spec_are_escaped() -> None:
    """A block's argument may be any string; no form lets it out of its text."""
    string = '<b>&\\" onload=x \\\\ #59; ---'
    found = sound(f'block b(name) {{ relu }}\nnet N {{ input x[3]; b("{string}") -> dense(2) }}'.replace('\\"', "'").replace("\\\\", "/"))
    root = ET.fromstring(picture(found, "svg"))
    assert any("<b>&' onload=x" in (item.text or "") for item in root.iter())
    assert "<b>" not in picture(found, "mermaid")
    assert "#59;" not in picture(found, "mermaid").replace("#35;59;", "")
    assert '\\"' in picture(found, "dot")


def test_too_many_boxes_are_refused() -> None:
    found = sound(of_body("repeat 2100 as i { conv(1 + 2 * (i % 2), 1x1) }"))
    with pytest.raises(UserError, match="a picture at most 2,000"):
        picture(found, "svg")
