"""What a check loads: it may take 0.15 s, most of which a library could take by being imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
before = set(sys.modules)
import netspec
netspec.check({spec!r}).to_text()
loaded = set(sys.modules) - before
print(*sorted({{name.split(".")[0] for name in loaded}} - set(sys.stdlib_module_names)))
print(*sorted(loaded & {{"asyncio", "email", "hashlib", "importlib.metadata", "logging", "socket", "typing_extensions", "unittest"}}))
"""


@pytest.mark.parametrize(
    "spec", ["resnet50", "net N { input x[4]\n conv(0, 3x3) -> dnse(3) }\ntrain N { optimizer = sgd(lr=0) }", "net N {"]
)
def test_a_check_loads_no_library_but_python_s_own(spec: str) -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM.format(spec=spec)], capture_output=True, text=True, check=True).stdout
    assert found == "netspec\n\n"
