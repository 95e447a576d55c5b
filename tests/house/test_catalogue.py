"""One catalogue of codes: whatever the source can report has a page in `netspec/pages`, and no page is of a code that is gone."""

from __future__ import annotations

import ast
import re

import pytest

from netspec.explain.pages import codes
from tests.house.sources import parsed

pytestmark = pytest.mark.house

CODE = re.compile(r"[EW]\d{4}")


def reported() -> dict[str, str]:
    """The codes that stand in the source as strings of their own, and a file of each."""
    found: dict[str, str] = {}
    for path, tree in parsed().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found[node.value] = path
    return found


def test_every_code_has_a_page() -> None:
    missing = {code: path for code, path in reported().items() if code not in codes()}
    assert not missing, f"write netspec/pages/CODE.md, with a failing and a mended example, as E0205.md: {missing}"


def test_every_page_has_a_code() -> None:
    assert set(codes()) <= set(reported()), f"nothing reports these any more: remove their pages: {sorted(set(codes()) - set(reported()))}"
