"""The form of an event for the world outside, and how long an event waits for a stream that is down."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.delivery.drain import next_delay_s
from aegis_worker.domain.transitions import LEADS_TO, EventType
from aegis_worker.persistence.published import PublishedEvent

HEX = "0199" * 8


def an_event(event_type=EventType.SUCCEEDED, at=datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC), **data):
    return PublishedEvent(f"pay_{HEX}", 3, event_type, data, at, "m_1", "live", 1999, "USD", "order-7")


def test_the_payload_is_what_merchants_were_promised():
    assert json.loads(an_event(gateway="sandbox_a", captured_minor=1999).payload()) == {
        "id": f"evt_{HEX}_3",
        "type": "payment.succeeded",
        "created_at": "2026-03-01T12:30:15.123Z",
        "payment_id": f"pay_{HEX}",
        "seq": 3,
        "data": {
            "mode": "live",
            "amount": 1999,
            "currency": "USD",
            "reference": "order-7",
            "state": "SUCCESS",
            "gateway": "sandbox_a",
            "captured_minor": 1999,
        },
    }


@pytest.mark.parametrize("event_type", list(EventType))
def test_the_state_is_told_where_the_event_changes_it(event_type):
    data = json.loads(an_event(event_type).payload())["data"]
    assert data.get("state") == LEADS_TO.get(event_type)


def test_the_terms_of_the_payment_are_not_overruled_by_what_an_event_recorded():
    data = json.loads(an_event(amount=1, currency="EUR", mode="test").payload())["data"]
    assert (data["amount"], data["currency"], data["mode"]) == (1999, "USD", "live")


def test_the_same_event_has_the_same_bytes_wherever_the_clock_stands():
    there = datetime(2026, 3, 1, 14, 30, 15, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert an_event(at=there).payload() == an_event().payload()


@given(text=st.text(), number=st.integers())
def test_the_bytes_are_those_that_every_version_so_far_has_written(text, number):
    """So that a webhook that is sent again after an upgrade has the same signature."""
    payload = an_event(message=text, number=number, none=None, both=[True, {text: text}]).payload()
    as_before = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
    assert payload == as_before.encode(json.loads(payload)).encode()


@given(tries=st.integers(1, 10_000), seed=st.integers())
def test_an_event_waits_a_second_then_longer_and_never_more_than_a_minute(tries, seed):
    delay_s = next_delay_s(tries, random.Random(seed))
    assert 0.75 <= delay_s <= 60
    assert delay_s <= 2 ** (tries - 1)
