"""The lines of a TOML file's values: as Python's own reader sees the file, each value stands where it is said to."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from support.checkout import CHECKOUT

from aegis_worker.domain.json_pointers import steps
from aegis_worker.toml_lines import line_of

TEXT = '''# first
strategy = "x"  # = [ not a value
"odd key" = 1
a.b = { c = 1, d = [1,
    2], "e.f" = "]" }
text = """
one = 1
[[rules]]
\\""" end""""
raw = \'\'\'it\'s [here]\'\'\'
[table]
key = 1
[table.under]
key = 2
[[rules]]
id = "first"
conditions = [
    { field = "amount", operator = "gt", value = 5 },  # }
    # { field = "no" },
    { field = "currency", value = [ "a",
        "b",
    ] },
]
[[rules]]
id = 'second'
[rules.inner]
x = 2026-05-01T00:00:00Z
'''


@pytest.mark.parametrize(
    ("pointer", "line"),
    [
        ("/strategy", 2),
        ("/odd key", 3),
        ("/a/b/c", 4),
        ("/a/b/d/1", 5),
        ("/a/b/e.f", 5),
        ("/text", 6),
        ("/raw", 10),
        ("/table", 11),
        ("/table/key", 12),
        ("/table/under/key", 14),
        ("/rules/0", 15),
        ("/rules/0/id", 16),
        ("/rules/0/conditions", 17),
        ("/rules/0/conditions/0/operator", 18),
        ("/rules/0/conditions/1", 20),
        ("/rules/0/conditions/1/value/1", 21),
        ("/rules/1", 24),
        ("/rules/1/id", 25),
        ("/rules/1/inner/x", 27),
        ("/rules/0/missing", 15),
        ("/nothing", None),
        ("", None),
    ],
)
def test_a_value_is_said_to_stand_where_it_stands(pointer: str, line: int | None) -> None:
    tomllib.loads(TEXT)
    assert line_of(TEXT, steps(pointer)) == line


def pointers(value: Any, at: str = "") -> list[str]:
    if isinstance(value, dict):
        inside = [(f"{at}/{key}", item) for key, item in value.items()]
    elif isinstance(value, list):
        inside = [(f"{at}/{number}", item) for number, item in enumerate(value)]
    else:
        return [at]
    return [at, *(pointer for place, item in inside for pointer in pointers(item, place))][not at :]


@pytest.mark.parametrize("name", ["pyproject.toml", "config/gateways.toml"])
def test_every_value_of_our_own_files_has_a_line(name: str) -> None:
    text = (CHECKOUT / name).read_text()
    found = [line_of(text, steps(pointer)) for pointer in pointers(tomllib.loads(text))]
    assert found
    assert None not in found


@pytest.mark.parametrize(
    "text", ['a = "' + "\\\\" * 20_000 + '"', "# #" * 20_000 + "\na = 1", "a = [" + "[]," * 20_000 + "]"]
)
def test_long_files_are_read_in_one_go(text: str) -> None:
    assert line_of(text, ["a"]) == text.count("\n") + 1
