"""The skeleton of a gateway's package: under which names it is written, and that it is as short as it is said to be."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from aegis_worker.lab.skeleton.writing import checked_name, write_skeleton

MOST_LINES = 150


def lines_of_code(module: Path) -> int:
    """How many there are without blank lines, comments and docstrings."""
    text = module.read_text()
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#") and number not in docstrings
        for number, line in enumerate(text.splitlines(), 1)
    )


def test_a_toy_gateway_has_fewer_lines_than_150(tmp_path: Path) -> None:
    folder = write_skeleton("toy", tmp_path)
    assert 100 < sum(map(lines_of_code, folder.rglob("*.py"))) < MOST_LINES


def test_it_is_written_under_the_gateways_own_name(tmp_path: Path) -> None:
    folder = write_skeleton("north_pay", tmp_path)
    files = {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}
    assert "aegispay_north_pay/adapter.py" in files
    assert "class NorthPayAdapter(" in files["aegispay_north_pay/adapter.py"]
    assert [name for name, text in files.items() if "toy" in f"{name}{text}".lower()] == []
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == "aegispay-north-pay"
    adapter, emulator = "aegispay_north_pay.adapter:NorthPayAdapter", "aegispay_north_pay.emulator:FORMAT"
    assert project["entry-points"] == {
        "aegispay.gateways": {"north_pay": adapter},
        "aegispay.emulators": {"north_pay": emulator},
    }
    assert tomllib.loads(files["gateways.toml"])["gateways"]["north_pay"]["adapter"] == "north_pay"


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    write_skeleton("toy", tmp_path)
    with pytest.raises(FileExistsError):
        write_skeleton("toy", tmp_path)


@pytest.mark.parametrize("name", ["stripe", "null", "North", "1pay", "a-b", "class", "a__b", "", "x" * 33])
def test_a_name_that_no_adapter_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"ships with AegisPay|lower-case letters"):
        checked_name(name)
