"""Time travel over HTTP: a payment as it stood, and what was known of it, at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.api_client import SUCCEEDED, Api, Merchant, start_api

from aegis_worker.domain.moments import rfc3339


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def merchant(api: Api) -> Merchant:
    return api.merchant()


def as_of(merchant: Merchant, payment_id: str, at: datetime | str, more: str = ""):
    at = at if isinstance(at, str) else rfc3339(at)
    return merchant.get(f"/v1/payments/{payment_id}/events?as_of={at}{more}")


def spread(break_in, payment_id: str) -> datetime:
    """Let the events have happened a minute after one another, an hour ago; when the first did."""
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    break_in(
        f"UPDATE payment_events SET at = '{first.isoformat()}'::timestamptz + (seq - 1) * interval '1 min'"
        f" WHERE payment_id = '{payment_id}'"
    )
    return first


def test_the_payment_and_its_events_as_they_were(api: Api, merchant: Merchant, break_in) -> None:
    payment_id = merchant.accepted()["id"]
    api.settle(*SUCCEEDED)
    first = spread(break_in, payment_id)
    seen = []
    for minutes in (0, 1, 2, 30):
        body = as_of(merchant, payment_id, first + timedelta(minutes=minutes)).json
        seen.append((body["payment"]["state"], body["payment"]["version"], len(body["data"])))
    assert seen == [("INITIATED", 1, 1), ("PROCESSING", 2, 2), ("SUCCESS", 3, 3), ("SUCCESS", 3, 3)]
    now = merchant.get(f"/v1/payments/{payment_id}").json
    then = as_of(merchant, payment_id, datetime.now(UTC)).json["payment"]
    assert then == now | {"updated_at": rfc3339(first + timedelta(minutes=2))}


def test_before_the_payment_existed_there_is_nothing(api: Api, merchant: Merchant) -> None:
    payment_id = merchant.accepted()["id"]
    answer = as_of(merchant, payment_id, "2020-02-29T12:00:00Z")
    assert answer.status_code == 200
    assert answer.json == {
        "data": [],
        "has_more": False,
        "next_cursor": None,
        "as_of": "2020-02-29T12:00:00.000Z",
        "payment": None,
    }


def test_without_as_of_no_state_is_told(api: Api, merchant: Merchant) -> None:
    payment_id = merchant.accepted()["id"]
    assert set(merchant.get(f"/v1/payments/{payment_id}/events").json) == {"data", "has_more", "next_cursor"}


def test_pages_end_at_that_time_and_tell_the_state_of_that_time(
    api: Api, merchant: Merchant, break_in
) -> None:
    payment_id = merchant.accepted()["id"]
    api.settle(*SUCCEEDED)
    then = spread(break_in, payment_id) + timedelta(minutes=1)
    first = as_of(merchant, payment_id, then, "&limit=1").json
    second = as_of(merchant, payment_id, then, f"&limit=1&starting_after={first['next_cursor']}").json
    assert [event["seq"] for event in first["data"] + second["data"]] == [1, 2]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert {first["payment"]["state"], second["payment"]["state"]} == {"PROCESSING"}


@pytest.mark.parametrize(
    ("at", "code"),
    [
        ("yesterday", "invalid_format"),
        ("2026-02-30T12:00:00Z", "invalid_format"),
        ("2026-05-01T12:00:00", "invalid_format"),
        ("1767225600", "invalid_format"),
        ("2999-01-01T00:00:00Z", "out_of_range"),
        ("0001-01-01T00:00:00%2B14:00", "invalid_format"),
    ],
)
def test_a_time_that_makes_no_sense_is_refused_by_name(merchant: Merchant, at: str, code: str) -> None:
    answer = as_of(merchant, merchant.accepted()["id"], at)
    assert answer.status_code == 422
    assert [(error["parameter"], error["code"]) for error in answer.json["errors"]] == [("as_of", code)]


def test_another_merchants_payment_has_no_past(api: Api, merchant: Merchant) -> None:
    payment_id = merchant.accepted()["id"]
    assert as_of(api.merchant("mer_b"), payment_id, "2020-01-01T00:00:00Z").status_code == 404


def test_a_long_history_is_folded_from_the_snapshot_before_that_time(
    api: Api, merchant: Merchant, break_in
) -> None:
    payment_id = merchant.accepted()["id"]
    api.settle(*SUCCEEDED)
    state = (
        '{"state": "PROCESSING", "version": 2, "authorized_minor": 7, "captured_minor": 0, "refunded_minor": 0,'
        ' "gateway": "from the snapshot", "gateway_ref": null, "certainty": "known", "last_error": null,'
        ' "next_action": null}'
    )
    first = spread(break_in, payment_id)
    break_in(f"INSERT INTO payment_snapshots VALUES ('{payment_id}', 2, '{state}', now())")
    before = as_of(merchant, payment_id, first).json["payment"]
    after = as_of(merchant, payment_id, first + timedelta(minutes=2)).json["payment"]
    assert (before["state"], before["gateway"]) == ("INITIATED", None)
    assert (after["state"], after["gateway"]) == ("SUCCESS", "from the snapshot")


def test_a_history_that_cannot_be_folded_is_told_and_not_guessed(
    api: Api, merchant: Merchant, break_in
) -> None:
    payment_id = merchant.accepted()["id"]
    api.settle(*SUCCEEDED)
    break_in("UPDATE payment_events SET type = 'PAYMENT_CANCELLED' WHERE seq = 2")
    answer = as_of(merchant, payment_id, datetime.now(UTC))
    assert (answer.status_code, answer.json["code"]) == (409, "payment_frozen")
