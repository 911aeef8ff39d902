"""What is stored of an attempt is read as one type and written back as it stood, whatever version wrote it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace
from support.attempts import an_attempt

from aegis_worker.domain.attempts import NOTHING_STORED, AttemptStatus, StoredOutcome
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.retries import NotSentKind

NAMES = [field.name for field in fields(StoredOutcome) if field.name != "unread"]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 100),
    st.floats(0, 100),
    st.text(max_size=3),
    st.sampled_from([*NotSentKind, *AttemptStatus]).map(str),
    st.lists(st.integers(), max_size=1),
)
STORED = st.dictionaries(st.sampled_from([*NAMES, "gateway_ref", "of_a_later_version"]), VALUES)

# What each place that writes an outcome stored before there was a type for it.
WRITTEN: list[tuple[StoredOutcome, dict[str, Any]]] = [
    (NOTHING_STORED, {}),
    (StoredOutcome(captured=False), {"captured": False}),
    (StoredOutcome(reason="reset", stored=True), {"reason": "reset", "stored": True}),
    (
        StoredOutcome(reason="busy", kind=NotSentKind.RATE_LIMIT, retry_after_s=5),
        {"reason": "busy", "kind": "RATE_LIMIT", "retry_after_s": 5},
    ),
    (
        StoredOutcome(captured=True, duplicate=True, before=AttemptStatus.NOT_SENT),
        {"captured": True, "duplicate": True, "before": "NOT_SENT"},
    ),
    (
        StoredOutcome.of_error(
            describe_error("resolved_not_charged", gateway=None, gateway_code=None, message=""),
            decided_by="operator",
            checked="not_found",
        ),
        {
            "code": "resolved_not_charged",
            "category": "technical",
            "advised_action": "retry_later",
            "gateway": None,
            "gateway_code": None,
            "message": "",
            "decided_by": "operator",
            "checked": "not_found",
        },
    ),
]


@pytest.mark.parametrize(("outcome", "stored"), WRITTEN)
def test_what_is_written_is_the_json_that_every_version_reads(
    outcome: StoredOutcome, stored: dict[str, Any]
) -> None:
    assert outcome.to_json() == stored
    assert StoredOutcome.from_json(stored) == outcome


@given(stored=STORED)
def test_what_is_read_and_left_as_it_is_is_written_back_the_same(stored: dict[str, Any]) -> None:
    told = StoredOutcome.from_json(stored).to_json()
    assert told == stored
    assert {name: type(value) for name, value in told.items() if name not in ("kind", "before")} == {
        name: type(value) for name, value in stored.items() if name not in ("kind", "before")
    }


@given(stored=STORED)
def test_a_field_holds_what_it_says_or_nothing(stored: dict[str, Any]) -> None:
    outcome = StoredOutcome.from_json(stored)
    assert outcome.captured in (True, False, None)
    assert outcome.kind is None or isinstance(outcome.kind, NotSentKind)
    assert outcome.before is None or isinstance(outcome.before, AttemptStatus)
    assert outcome.reason is None or isinstance(outcome.reason, str)


def test_a_field_that_is_set_takes_the_place_of_what_could_not_be_read() -> None:
    read = StoredOutcome.from_json({"given_back": None, "note": "kept"})
    assert replace(read, given_back=True).to_json() == {"given_back": True, "note": "kept"}


def test_where_nothing_is_stored_there_is_nothing_to_read() -> None:
    assert StoredOutcome.from_json(None) is NOTHING_STORED
    assert StoredOutcome.from_json({}) is NOTHING_STORED


def test_an_attempt_is_in_doubt_or_open_until_its_end_is_known() -> None:
    doubtful = {status for status in AttemptStatus if status.is_in_doubt}
    still_open = {status for status in AttemptStatus if status.is_open}
    assert doubtful == {AttemptStatus.SENT, AttemptStatus.UNKNOWN}
    assert still_open - doubtful == {AttemptStatus.PENDING, AttemptStatus.ACTION_REQUIRED}


@pytest.mark.parametrize(
    ("known", "ago_s"),
    [
        ({}, 100.0),
        ({"answered_at_s": 90.0}, 100.0),
        ({"sends": 2}, 0.0),
        ({"sends": 2, "answered_at_s": 90.0}, 10.0),
        ({"sends": 2, "answered_at_s": 90.0, "first_not_found_at_s": 70.0}, 30.0),
    ],
)
def test_when_a_call_was_sent_last_is_known_from_what_was_heard_of_it_since(
    known: dict[str, Any], ago_s: float
) -> None:
    assert an_attempt(**known).sent_ago_s(100.0) == ago_s
