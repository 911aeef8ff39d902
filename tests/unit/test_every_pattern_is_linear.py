"""No regular expression of the product can be made to take long: looked for in every module, tried with what is hard."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import Schema

import aegis_api
import aegis_worker
from aegis_api.http.fields import Text

# Pieces that are repeated, and what the text ends in: a match that nearly succeeds is what takes long.
PIECES = (
    *(
        "5",
        "5-",
        "55 ",
        "4111 ",
        "a",
        "A",
        "a ",
        "a.",
        "a@",
        "a@b.",
        "@",
        ".",
        "-",
        "_",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\\",
        "\\u0034",
    ),
    *(
        "%34",
        "&#4;",
        "&",
        "\x00",
        "é",
        "\u0661",
        "://",
        "://a:",
        "a:b@",
        "aegis_test_",
        "whsec_",
        "tok_",
        "pay_0",
        "0f",
        "f-",
    ),
    *(
        "cvv",
        "cvv ",
        "c.v.v.",
        "cvv is ",
        "code ",
        "123 is ",
        "bearer ",
        "wait=",
        "wait ",
        "\r\ncontent-length: ",
        "?a=",
        "1z",
        "de89 ",
    ),
    *("idempotency-key:", "2026", "1m", "/v1/payments/", "(", "((", "{,", "x{", "20261126"),
)
# What makes a match fail at the very end takes longest; the other ends are tried in long runs.
ENDS = (
    "!",
    pytest.param("", marks=pytest.mark.slow, id="no end"),
    pytest.param("1", marks=pytest.mark.slow),
)
LONG = 4_000


def modules() -> Iterator[Any]:
    for package in (aegis_worker, aegis_api):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # Programs, and what Alembic runs.
            if (
                not found.name.endswith("__main__")
                and ".migrations." not in found.name
                and not found.name.endswith("_exec")
            ):
                yield importlib.import_module(found.name)


@pytest.fixture(scope="module")
def patterns() -> dict[str, tuple[re.Pattern[Any], int]]:
    """Every compiled pattern that a module holds, by itself or in a field of a schema, and the longest text it is given.

    Looked for when a test runs, not when it is collected: each process that runs tests collects all of them.
    """
    found: dict[str, tuple[re.Pattern[Any], int]] = {}
    for value in (value for module in modules() for value in vars(module).values()):
        if isinstance(value, re.Pattern):
            found[str(value.pattern)] = (value, LONG)
        elif isinstance(value, type) and issubclass(value, Schema):
            for field in value._declared_fields.values():
                if isinstance(field, Text) and field._pattern is not None:
                    found.setdefault(str(field._pattern.pattern), (field._pattern, field._longest))
    return found


def test_patterns_are_found_in_modules_and_in_schemas(
    patterns: dict[str, tuple[re.Pattern[Any], int]],
) -> None:
    assert len(patterns) > 30
    assert {r"[!-~]{1,512}", r"\d+"} <= set(patterns)


@pytest.mark.parametrize("end", ENDS)
def test_sixteen_times_the_text_takes_no_longer_than_a_search_in_step_with_it_may(
    patterns: dict[str, tuple[re.Pattern[Any], int]], end: str
) -> None:
    """A quadratic pattern takes 256 times as long for sixteen times the text; one in step with it takes 16 times."""

    def seconds(pattern: re.Pattern[Any], piece: str, length: int) -> float:
        text: Any = piece * (length // len(piece)) + end
        given = text.encode() if isinstance(pattern.pattern, bytes) else text
        started = time.process_time()
        for _found in pattern.finditer(given):
            pass
        pattern.fullmatch(given)
        return time.process_time() - started

    for pattern, longest in patterns.values():
        for piece in PIECES:
            long = seconds(pattern, piece, longest)
            # What takes a moment only is in no need of a second look.
            if long > 0.05:
                short = seconds(pattern, piece, longest // 16)
                assert long < 80 * max(short, 0.00025), (pattern, piece)
