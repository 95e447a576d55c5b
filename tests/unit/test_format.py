"""The canonical layout: what it does to blanks, what it leaves alone, and that neither the tree nor the graph ever changes."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec.diagnostics import Source, SpecError
from netspec.elaborate import examine
from netspec.graph.text import text as graph_text
from netspec.sources import specs
from netspec.syntax.format import layout
from netspec.syntax.parse import parse
from netspec.syntax.text import text as tree_text
from netspec.tools.formatting import reformat
from tests.random_specs import mutated, relaid, spec

ROOT = Path(__file__).parents[2]
FILES = [*specs(), *sorted((ROOT / "tests" / "examples").glob("*.net"))]
NAMES = [f"{path.parent.name}/{path.stem}" for path in FILES]


def tree(text: str) -> str:
    return tree_text(parse(text, "a.net"), places=False)


def graphs(text: str) -> list[str]:
    """All graphs of a file, and what is wrong with the others."""
    found = examine(parse(text, "a.net"), Source("a.net", text))
    nets = [f"{net.name}\n{graph_text(net.graph)}" if net.graph else net.name for net in found.nets]
    return nets + [f"{item.code} {item.message}" for item in found.diagnostics]


def check(text: str) -> str:
    """The layout of a text, which must say the same and be its own layout."""
    after = layout(text)
    assert layout(after) == after
    assert tree(after) == tree(text)
    return after


@pytest.mark.parametrize("path", sorted((ROOT / "specs").rglob("*.net")), ids=lambda path: path.stem)
def test_bundled_specs_are_in_canonical_layout(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert layout(text) == text


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_the_graphs_stay_however_a_file_is_laid_out(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    before = graphs(text)
    assert graphs(check(text)) == before
    assert graphs(check(relaid(Random(path.stem), text))) == before


def test_every_comment_stays() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        comments = [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]
        assert [line.partition("#")[2].strip() for line in layout(text).splitlines() if "#" in line] == comments


@given(st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text_of_the_grammar(random: Random) -> None:
    check(spec(random))


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_files_laid_out_anyhow_and_mutated(seed: int) -> None:
    random = Random(seed)
    text = relaid(random, random.choice(FILES).read_text(encoding="utf-8"))
    check(text)
    broken = mutated(random, text)
    try:
        parse(broken, "a.net")
    except SpecError:
        return
    check(broken)


BEFORE = """#top

#  two


net   A(c=1+2,k=[1,2,],w=4*3){   ;
input x[1,28,28]where H%16==0
 # about a

 a:conv(6,5x5,pad = 2,groups=in.c)->relu
  ->maxpool(2)::[6,14,14]# hm
 b: add{|when not training:a;b   # t1
   skip;
  # between
 |
  skip -> concat{
 |a
 # c2
 |repeat 2 as j{conv(3) }
  }
  # before close
 } -> if x{skip}
 else{skip}
  foo(1,
 2, [ 1,
  2
 ],
  a=-1, b= if x<-1 then -3 else y [0]) -> for a,b in[1,2]{x ; }
 output p,
   q
}
 expect A{params==1
macs<=4 * k
} # end

#last"""

AFTER = """#top

#  two

net A(c = 1 + 2, k=[1, 2,], w=4*3) {
  input x[1, 28, 28] where H % 16 == 0
  # about a

  a: conv(6, 5x5, pad=2, groups=in.c) -> relu
    -> maxpool(2)   :: [6, 14, 14]   # hm
  b: add { | when not training: a; b   # t1
      skip
    # between
    |
      skip -> concat {
        | a
        # c2
        | repeat 2 as j { conv(3) }
      }
    # before close
  } -> if x { skip }
  else { skip }
  foo(1,
    2, [1,
      2
    ],
    a=-1, b = if x < -1 then -3 else y[0]) -> for a, b in [1, 2] { x }
  output p,
    q
}
expect A { params == 1
  macs <= 4 * k
}   # end

#last
"""


def test_the_layout() -> None:
    assert check(BEFORE) == AFTER


COLUMNS = """net N {
  c1: conv(6,5x5,pad=2) -> relu :: [6]
  c33: conv(16, 5x5)    -> relu  # two
  flatten                        # three

  a:   dense(3)
  bcd: dense( 4 )
}
train N {
  data    = 1;  loss    = 2
  steps   = 3
  a = 1
  bc = 2
}
"""


def test_what_stands_in_one_column_does_so_again() -> None:
    assert (
        check(COLUMNS)
        == """net N {
  c1: conv(6, 5x5, pad=2) -> relu   :: [6]
  c33: conv(16, 5x5)      -> relu   # two
  flatten                           # three

  a:   dense(3)
  bcd: dense(4)
}
train N {
  data  = 1; loss = 2
  steps = 3
  a = 1
  bc = 2
}
"""
    )


def test_it_takes_linear_time() -> None:
    start = time.process_time()
    layout("train A {\n" + "a = 1 -> b  # c\n" * 10_000 + "}")
    assert time.process_time() - start < 5, "quadratic, it would take a minute"


@pytest.mark.parametrize("text", ["", "# nothing\n", "net N {\n  input x[3\n}\n"])
def test_texts_with_errors_are_refused(text: str) -> None:
    with pytest.raises(SpecError):
        reformat(Source("a.net", text))


ANNOTATED = """param classes = 10
block b(c) { conv(c, 3x3, pad=1) -> relu }
net N(w=2) {
  input x[1, 28, 28]
  c1: conv(6, 5x5) -> maxpool(2)   :: [_, 12, 12]
  b(8*w)                           :: [_, 12, 12]
  skip -> b(8)                     :: [8, 12, 12]
  dropout(0.5)                     :: [8, 12, 12]   # of all
  repeat 2 {
    b(8)
  }
  if training { dropout(0.5) }
  flatten                      :: [1152]
  output head: dense(classes)   :: [classes]
}
"""


def test_annotated_shapes_follow_parameters() -> None:
    bare = "\n".join(line.partition(" :: ")[0].rstrip() + ("   # of all" if "# of" in line else "") for line in ANNOTATED.splitlines())
    bare = bare.replace("maxpool(2)", "maxpool(2) :: [_, 12, 12]")
    after = reformat(Source("a.net", bare), annotate=True).after
    assert [line.split() for line in after.splitlines()] == [line.split() for line in ANNOTATED.splitlines()]
    assert reformat(Source("a.net", after), annotate=True).after == after
    assert not examine(parse(after, "a.net"), Source("a.net", after), {"classes": 3, "w": 5}).diagnostics


def test_a_wrong_shape_is_not_written_over() -> None:
    with pytest.raises(SpecError, match="E0203"):
        reformat(Source("a.net", "net N {\n  input x[4]\n  dense(3) :: [4]\n}\n"), annotate=True)
