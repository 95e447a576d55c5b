"""Every stage of the compiler as text: what a change of the compiler shows up in first. Written anew by `pytest --update-golden`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NETS = {"lenet5": ROOT / "specs" / "lenet.net", "residual": HERE / "residual.net", "several": HERE / "several.net"}
STAGES = {
    "lenet5": "ast graph optimised,infer program,infer source,infer optimised,train program,train",
    "residual": "ast graph optimised,infer program,infer optimised,train",
    "several": "graph program,infer optimised,train",
}
"""Source is long and its tiles much alike: it is kept once."""

CASES = [(net, stage) for net, stages in STAGES.items() for stage in stages.split()]

SHOW_ALL = """
import sys
from netspec.model import find_model
from netspec.show import show
for file, *stages in (line.split() for line in sys.stdin):
    model = find_model(file, None, {})
    for stage, _, mode in (item.partition(",") for item in stages):
        print(show(model, stage, target="avx512", mode=mode or "infer"), end="\\0")
"""


@pytest.fixture(scope="module", params=["0", "1234"], ids=["hash 0", "hash 1234"])
def shown(request: pytest.FixtureRequest) -> dict[tuple[str, str], str]:
    """All texts, made by a process with this PYTHONHASHSEED: no set's order may show in them."""
    asked = "".join(f"{NETS[net]} {stages}\n" for net, stages in STAGES.items())
    environment = os.environ | {"PYTHONHASHSEED": request.param, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SHOW_ALL], input=asked, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, done.stdout.split("\0")[:-1], strict=True))


@pytest.mark.parametrize(("net", "stage"), CASES)
def test_stage(net: str, stage: str, shown: dict[tuple[str, str], str], golden: Callable[[Path, str], None]) -> None:
    target = ".avx512" if stage.startswith(("program", "source")) else ""
    golden(HERE / f"{net}_{stage.replace(',', '_')}{target}.txt", shown[net, stage])
