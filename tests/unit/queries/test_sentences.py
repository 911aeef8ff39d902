"""How calls to gateways are named for people."""

from __future__ import annotations

import pytest

from aegis_worker.queries.sentences import called, in_hop


@pytest.mark.parametrize(
    ("operation", "number", "name", "hop"),
    [
        ("process", 1, "process", " (attempt 1)"),
        ("refund", 2, "refund", " (attempt 2)"),
        ("capture", 101, "capture 1", ""),
        ("refund", 102, "refund 2", ""),
        ("void", 110, "void 10", ""),
    ],
)
def test_what_a_merchant_ordered_is_named_by_its_own_number_and_all_else_by_its_hop(
    operation: str, number: int, name: str, hop: str
) -> None:
    assert (called(operation, number), in_hop(number)) == (name, hop)
