"""Tests share by tests/support alone, and stand in folders that mirror the packages they are about."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.checkout import CHECKOUT, TESTS

_MODULES = sorted(TESTS.rglob("*.py"))
_OF_TESTS = {path.stem for path in _MODULES if not path.is_relative_to(TESTS / "support")} | {
    path.name for path in TESTS.rglob("*") if path.is_dir() and not path.is_relative_to(TESTS / "support")
}

# aegis_api; what comes after the outbox.
_NAMED_OTHERWISE = {"client", "api", "delivery"}


def test_no_test_and_no_helper_imports_from_a_test() -> None:
    taken = {
        str(path.relative_to(TESTS)): sorted(names)
        for path in _MODULES
        if (names := set(_imported(path)) & (_OF_TESTS | {"tests"}))
    }
    assert taken == {}


def test_what_tests_share_stands_in_support() -> None:
    others = [path for path in _MODULES if not path.is_relative_to(TESTS / "support")]
    assert [path.name for path in others if path.name != "conftest.py" and path.name[:5] != "test_"] == []


@pytest.mark.parametrize("kind", ["unit", "integration"])
def test_folders_mirror_the_packages(kind: str) -> None:
    there = {path.name for path in (CHECKOUT / "aegis_worker").iterdir() if path.is_dir()}
    folders = {path.name for path in (TESTS / kind).iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders - there - _NAMED_OTHERWISE == set()


def _imported(path: Path) -> Iterator[str]:
    """The first name of whatever a module imports; a relative import names its own folder."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield path.parent.name if node.level else str(node.module).partition(".")[0]
