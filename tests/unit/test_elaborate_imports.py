"""`use`: the standard library, files beside the spec, and what is kept out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from elaborated import rendered, sound, weights

from netspec import UserError, check
from netspec.diagnostics import Source
from netspec.elaborate import Elaborated, elaborate, examine
from netspec.sources import read
from netspec.syntax.parse import parse

NET = "net N {\n  input x[3, 8, 8]\n  unit(4)\n}\n"


def files(folder: Path, **texts: str) -> None:
    """Specs by name; `__` stands for a folder."""
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.net"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def checked(folder: Path, name: str = "main.net") -> Elaborated:
    source = read(folder / name)
    return examine(parse(source.text, source.file), source)


def error(folder: Path, name: str = "main.net") -> tuple[str, str, str | None]:
    (found,) = checked(folder, name).diagnostics
    return found.code, found.message.replace(str(folder), "FOLDER"), found.help and found.help.replace(str(folder), "FOLDER")


# ── the standard library ─────────────────────────────────────────────────────────────────────────

RESNET = """use std.vision: conv_bn, basic, bottleneck
net ResNet(unit, depths) {
  input image[3, 224, 224]
  stem: conv_bn(64, 7x7, stride=2) -> relu -> maxpool(3, stride=2, pad=1)
  stage: for i, n in enumerate(depths) { repeat n as j { unit(64 * 2**i, stride = if i > 0 and j == 0 then 2 else 1) } }
  head: gap -> dense(1000)
}
"""


def test_the_standard_library_has_torchvisions_blocks() -> None:
    unit = "net R = ResNet(unit=bottleneck, depths=[3, 4, 6, 3])\n"
    resnet50 = sound(RESNET + unit + "expect R { params == 25_557_032; macs == 4_089_184_256 }")
    assert "stage.0.bottleneck.0.conv_bn.2.conv.0.weight" in weights(resnet50)
    sound(RESNET + "net R = ResNet(unit=basic, depths=[2, 2, 2, 2])\nexpect R { params == 11_689_512 }")
    resnext = "block unit(c, stride) { bottleneck(c, stride, groups=32, width=2*c) }\n"
    sound(RESNET + resnext + "net R = ResNet(unit=unit, depths=[3, 4, 6, 3])\nexpect R { params == 25_028_904 }")


def test_the_other_blocks_of_the_standard_library() -> None:
    text = """use std.vision: conv_bn_relu, dwconv, se, inverted_residual as mobile, shortcut
net N {
  input x[8, 16, 16]
  a: conv_bn_relu(16, 3x3, stride=2, act=silu)   :: [16, 8, 8]
  b: dwconv(3x3) -> relu -> se(4)                :: [16, 8, 8]
  c: mobile(16, 6) -> mobile(24, 6, stride=2)    :: [24, 4, 4]
  d: shortcut(24) -> shortcut(32, stride=2)      :: [32, 2, 2]
}
let first = 2*16*96 + 9*96 + 2*(96 + 96 + 16)
let second = 16*96 + 9*96 + 96*24 + 2*(96 + 96 + 24)
expect N { a.params == 1184; b.params == 324; c.params == first + second; d.params == 24*32 + 64 }
"""
    sound(text)


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_read_with_its_own_names(tmp_path: Path) -> None:
    """What is imported sees the constants, parameters and imports of its file; the user's names of the same words change nothing there."""
    files(
        tmp_path,
        main='use "blocks/units.net": unit, width as wide\nlet k = 7\nparam width = 100\n' + NET + "expect N { params == 3*5*25 + 5 + 10 }",
        blocks__units='use "../tools.net": norm\nlet k = 5\nparam width = 5\nblock unit(c) { conv(width, k, pad=half) -> norm }',
        tools="block norm { bn }",
    )
    found = checked(tmp_path)
    assert not found.failed, rendered(found)
    (net,) = found.nets
    assert [row.path for row in net.rows] == ["unit.0.conv.0", "unit.0.norm.0.bn.0"]
    assert [row.span.file for row in net.rows] == [str(tmp_path / "blocks" / "units.net"), str(tmp_path / "tools.net")]
    assert dict(found.source.carried or ()).keys() == {"blocks/units.net", "tools.net"}


def test_nets_and_constants_are_imported_too(tmp_path: Path) -> None:
    files(
        tmp_path,
        main='use "zoo.net": Small, Tiny, widths as w\nnet Mine = Small(depth=w[1])\n'
        "net Two { input x[3, 8, 8]\n Tiny -> Small(depth=1, c=2) }",
        zoo="let widths = [4, 2]\nnet Small(depth, c=8) {\n  input x[3, 8, 8]\n  repeat depth { conv(c, 3, pad=1) -> conv(3, 1) }\n}\n"
        "net Tiny = Small(depth=1, c=1)",
    )
    found = checked(tmp_path)
    assert not found.failed, rendered(found)
    assert [net.name for net in found.nets] == ["Mine", "Two"], "nets of other files are not elaborated by themselves"
    assert [row.path for row in found.nets[1].rows] == ["Tiny.0.conv.0", "Tiny.0.conv.1", "Small.0.conv.0", "Small.0.conv.1"]


def test_errors_in_an_imported_file_point_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Callable[[Path, str], None]
) -> None:
    files(tmp_path, main='use "lib/units.net": unit\n' + NET, lib__units="# units\nblock unit(c) {\n  conv(c, 11x11)\n}\n")
    monkeypatch.chdir(tmp_path)
    report = check("main.net")
    golden(Path(__file__).parents[1] / "errors" / "imported.txt", report.problems() + "\n")
    (found,) = report.to_dict()["diagnostics"]  # type: ignore[misc]
    assert found["file"] == "lib/units.net"  # type: ignore[index, call-overload]
    assert found["span"]["end"] == {"line": 3, "column": 16}  # type: ignore[index, call-overload]


def test_syntax_errors_of_an_imported_file_are_all_told(tmp_path: Path) -> None:
    files(tmp_path, main='use "a.net": unit\n' + NET, a="block unit(c) { conv(c 3) }\nblock other { relu( }\n")
    found = checked(tmp_path)
    assert [(Path(item.span.file).name, item.code) for item in found.diagnostics] == [("a.net", "E0001")] * 2
    assert "2 | block other { relu( }" in rendered(found)


def test_a_circle_is_named(tmp_path: Path) -> None:
    files(tmp_path, main='use "a.net": unit\n' + NET, a='use "main.net": N\nblock unit(c) { N }')
    assert error(tmp_path) == (
        "E0122",
        "imports lead in a circle: main.net -> a.net -> main.net",
        "move what both need into a file of its own",
    )
    files(tmp_path, main='use "main.net": unit\n' + NET)
    assert error(tmp_path)[1] == "imports lead in a circle: main.net -> main.net"


def test_a_file_is_read_once(tmp_path: Path) -> None:
    first, second = 'use "c.net": x\nblock unit(c) { conv(c, x) }', 'use "c.net": x\nblock other { relu }'
    files(tmp_path, main='use "a.net": unit\nuse "b.net": other\n' + NET, a=first, b=second, c="let x = 3")
    found = checked(tmp_path)
    assert not found.failed
    assert [key for key, _ in found.source.carried or ()] == ["a.net", "c.net", "b.net"]


OUTSIDE = "`../outside.net` lies outside of the project's folder"
ROOTED = "the path of an import starts at the folder of the file that it stands in"

# ── what cannot be imported ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("use", "code", "message", "help"),
    [
        ('"unist.net": unit', "E0121", "no such file: unist.net", "did you mean `units.net`?"),
        ('"lib/x.net": unit', "E0121", "no such file: lib/x.net", "looked in FOLDER/lib"),
        ('"units.txt": unit', "E0121", "`units.txt` is no spec: its name ends in `.net`", None),
        ('"../outside.net": unit', "E0121", OUTSIDE, "only files in FOLDER can be imported"),
        ('"sub/../../outside.net": unit', "E0121", OUTSIDE, "only files in FOLDER can be imported"),
        ('"/etc/passwd.net": unit', "E0121", "`/etc/passwd.net` starts at the root", ROOTED),
        ('"folder.net": unit', "E0121", "no such file: folder.net", "known: `main.net`, `units.net`"),
        ('"\\0.net": unit', "E0121", None, None),
        (f'"{"x" * 5000}.net": unit', "E0121", None, None),
        ('"units.net": unti as unit', "E0123", "units.net has no `unti`", "did you mean `unit`?"),
        ('"units.net": bn as unit', "E0123", "units.net has no `bn`", "it has unit"),
        ('"units.net": unit as relu', "E0103", "`relu` is a name of the language", "choose another name"),
        ("std.vison: unit", "E0121", "no library `std.vison`", "did you mean `std.vision`?"),
        ("vision: unit", "E0121", "no library `vision`", "known: `std.vision`"),
    ],
)
def test_what_cannot_be_imported(tmp_path: Path, use: str, code: str, message: str | None, help: str | None) -> None:
    """One error, and nothing follows from it: what the import was to bring is known by name."""
    project = tmp_path / "project"
    files(project, main=f"use {use}\n{NET}".replace("\\0", "\0"), units="block unit(c) { conv(c, 3) }")
    files(tmp_path, outside="block unit(c) { conv(c, 3) }")
    (project / "folder.net").mkdir()
    (project / "lib").mkdir()
    if "as relu" in use:
        (project / "main.net").write_text(f"use {use}\n{NET.replace('unit(4)', 'relu')}")
    found = error(project)
    assert found[0] == code
    assert message is None or found[1:] == (message, help)


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    files(
        tmp_path,
        secret="block unit(c) { conv(c, 3) }",
        project__main='use "link.net": unit\n' + NET,
        project__lib__unit="block unit(c) { relu }",
    )
    project = tmp_path / "project"
    os.symlink(tmp_path / "secret.net", project / "link.net")
    assert error(project)[:2] == ("E0121", "`link.net` lies outside of the project's folder")
    os.symlink(tmp_path, project / "up")
    (project / "main.net").write_text('use "up/secret.net": unit\n' + NET)
    assert error(project)[:2] == ("E0121", "`up/secret.net` lies outside of the project's folder")
    (project / "link.net").unlink()
    os.symlink(project / "lib" / "unit.net", project / "link.net")
    (project / "main.net").write_text('use "link.net": unit\n' + NET)
    assert not checked(project).failed, "a link within the project is a file like any other"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    files(tmp_path, main='use "pipe.net": unit\n' + NET)
    os.mkfifo(tmp_path / "pipe.net")
    assert error(tmp_path)[:2] == ("E0121", "no such file: pipe.net")


def test_the_projects_folder_is_marked(tmp_path: Path) -> None:
    files(tmp_path, shared="block unit(c) { conv(c, 3) }", nets__main='use "../shared.net": unit\n' + NET)
    assert error(tmp_path / "nets")[0] == "E0121"
    (tmp_path / "pyproject.toml").touch()
    assert not checked(tmp_path / "nets").failed


def test_a_text_has_no_folder() -> None:
    report = check('use "units.net": unit\n' + NET)
    (found,) = report.diagnostics
    assert (found.code, found.message) == ("E0121", "a spec that is given as text has no folder to import from")
    assert found.help == "save it to a file, or import from `std.vision`"
    assert check("use std.vision: se as unit\nnet N {\n  input x[8, 8, 8]\n  unit(4)\n}\n").ok


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    files(tmp_path, main='use "a.net": unit\n' + NET)
    (tmp_path / "a.net").write_bytes(b"\xff\xfe\x00")
    assert error(tmp_path)[:2] == ("E0121", "FOLDER/a.net is no text: byte 0 is not UTF-8")


# ── limits ───────────────────────────────────────────────────────────────────────────────────────


def test_limits_of_imports(tmp_path: Path) -> None:
    chain = {f"f{k}": f'use "f{k + 1}.net": x as y\nlet x = y' for k in range(16)}
    files(tmp_path, **chain, f16="let x = 1", main="let a = 0")
    assert not checked(tmp_path, "f0.net").failed
    files(tmp_path, main='use "f0.net": x\nlet a = x')
    assert error(tmp_path)[:2] == ("E0507", "files import each other more than 16 deep")
    files(tmp_path, **{f"g{k}": f"let x{k} = 1" for k in range(70)})
    files(tmp_path, main="\n".join(f'use "g{k}.net": x{k}' for k in range(70)))
    assert error(tmp_path)[:2] == ("E0507", "more than 64 files are imported: `g64.net` is one too many")
    files(tmp_path, **{f"g{k}": f"let x{k} = 1\n" + "# long\n" * 30_000 for k in range(6)})
    files(tmp_path, main="\n".join(f'use "g{k}.net": x{k}' for k in range(6)))
    assert error(tmp_path)[:2] == ("E0507", "the imported files hold more than 1,048,576 characters")


# ── what comes with a saved spec ─────────────────────────────────────────────────────────────────


def test_a_spec_that_carries_its_imports_reads_no_file(tmp_path: Path) -> None:
    main = 'use "a.net": unit\nuse std.vision: se\n' + NET.replace("unit(4)", "unit(4) -> se(2)")
    files(tmp_path, main=main, a='use "b/c.net": k\nblock unit(c) { conv(c, k) }', b__c="let k = 3")
    source = checked(tmp_path).source
    for path in tmp_path.rglob("*.net"):
        path.unlink()
    again = elaborate(parse(source.text, source.file), source)
    assert [row.params for row in again.nets[0].rows if row.params] == [112, 10, 12]
    bare = Source(source.file, source.text, ())
    assert [item.message for item in examine(parse(bare.text, bare.file), bare).diagnostics] == ["`a.net` does not come with the spec"]


def test_reading_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        read(tmp_path / "none.net")
