"""Times: in UTC whatever the operator's zone is, and written in one form for programs and one for people."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from redis import Redis
from support.api_client import Api, Merchant, start_api
from support.command_line import Aegis, aegis, install
from support.merchant_server import a_sink, answers
from support.outbox_events import make_due

from aegis_worker.domain.moments import readable, rfc3339
from aegis_worker.persistence.database import Database

__all__ = ["aegis"]

FOR_PROGRAMS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FOR_PEOPLE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}(?!\d)")
# What could be meant as a time of day, whoever wrote it in which way.
ANY_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[^\s\",|)]*|\b\d\d:\d\d:\d\d[^\s\",|)]*")
INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.fixture(autouse=True)
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An operator whose clock shows another hour, and whose PostgreSQL is told of a third."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    monkeypatch.setenv("PGTZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def told(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database: Database, database_url: str, redis_url: str
) -> dict[str, str]:
    """An installation in which every kind of thing has a time; the ids of what there is."""
    install(monkeypatch, database_url, REDIS_URL=redis_url, AEGIS_WEBHOOK_ALLOW_PRIVATE="true")
    zone = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET timezone = %%L', current_database(), 'Asia/Tokyo'); END $$"
    database.run(lambda connection: connection.exec_driver_sql(zone))
    api = start_api(database_url, webhook_allow_private=True)
    shop = api.merchant()
    with a_sink() as sink:
        sink.otherwise["/hooks"] = answers(500)
        made = aegis("outbox", "endpoints", "add", sink.url(), "--merchant", "mer_a", "--json").json
        payment = shop.accepted(reference="order-1")
        assert aegis("relay", "--once").exit_code == 0
        assert aegis("relay", "--once").exit_code == 0
        make_due(database, "webhook_deliveries")
        aegis("outbox", "drain")
    assert aegis("routing", "apply", "--back-to-file", "--reason", "none yet").exit_code == 0
    database.run(
        lambda connection: connection.exec_driver_sql(
            "UPDATE jobs SET status = 'review' WHERE finished_at IS NULL"
        )
    )
    return {"payment": payment["id"], "job": payment["job"]["id"], "endpoint": made["id"]}


def commands(told: dict[str, str]) -> list[tuple[str, ...]]:
    return [
        ("status", told["payment"]),
        ("timeline", told["job"]),
        ("explain", told["payment"]),
        ("reviews",),
        ("keys", "list"),
        ("audit-log",),
        ("audit", "--since", "2026-05-01T12:00:00+05:30"),
        ("reconcile", "--dry-run", "--since", "24h"),
        ("replay", told["payment"]),
        ("replay", told["payment"], "--as-of", rfc3339(datetime.now(UTC))),
        ("routing", "show"),
        ("routing", "history"),
        ("routing", "simulate", "--since", "24h"),
        ("gateways",),
        ("outbox", "deliveries"),
        ("outbox", "endpoints", "list", "--merchant", "mer_a"),
        ("outbox", "status"),
    ]


def odd_times(text: str, form: re.Pattern[str]) -> list[str]:
    return [found for found in ANY_TIME.findall(text) if not form.fullmatch(found)]


@pytest.mark.slow
def test_every_command_writes_times_in_one_form_and_in_utc(aegis: Aegis, told: dict[str, str]) -> None:
    seen = 0
    for command in commands(told):
        as_json, as_table = aegis(*command, "--json"), aegis(*command)
        assert as_json.exit_code == as_table.exit_code, command
        assert as_json.exit_code in (0, 1), as_json.err
        assert odd_times(as_json.out, FOR_PROGRAMS) == [], command
        assert odd_times(as_table.out, FOR_PEOPLE) == [], command
        times = {*FOR_PROGRAMS.findall(as_json.out), *FOR_PEOPLE.findall(as_table.out)}
        seen += len(times)
        for found in times:
            moment = datetime.fromisoformat(found).replace(tzinfo=UTC)
            long_ago = "2026-05-01" in found
            assert long_ago or abs((moment - datetime.now(UTC)).total_seconds()) < 3 * 86_400, command
    assert seen > 20


@pytest.mark.slow
def test_what_the_command_line_and_the_api_tell_of_one_thing_is_the_same_time(
    aegis: Aegis, told: dict[str, str], database_url: str
) -> None:
    shop = start_api(database_url).merchant()
    by_api = shop.get(f"/v1/payments/{told['payment']}").json
    by_command = aegis("status", told["payment"], "--json").json["payment"]
    assert (by_api["created_at"], by_api["updated_at"]) == (
        by_command["created_at"],
        by_command["updated_at"],
    )
    shown = readable(datetime.fromisoformat(by_api["created_at"]))
    assert f"accepted (UTC)  {shown}" in aegis("status", told["payment"]).out


def test_every_answer_of_the_api_writes_times_in_one_form(told: dict[str, str], database_url: str) -> None:
    api = start_api(database_url)
    seen = 0
    for who, path in paths(api, told):
        answer = who.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert odd_times(json.dumps(answer.json), FOR_PROGRAMS) == [], path
        seen += len(FOR_PROGRAMS.findall(answer.text))
    assert seen > 30


def paths(api: Api, told: dict[str, str]) -> list[tuple[Merchant, str]]:
    shop, night = api.merchant(), api.operator()
    payment = f"/v1/payments/{told['payment']}"
    now = rfc3339(datetime.now(UTC))
    of_shop = [
        "/v1/payments",
        f"{payment}?expand=attempts,events",
        f"{payment}/events?as_of={now}",
        f"{payment}/attempts",
        f"{payment}/explain",
        "/v1/jobs",
        f"/v1/jobs/{told['job']}",
        "/v1/webhook-endpoints",
        "/v1/webhook-deliveries",
    ]
    of_night = [
        "/v1/ops/reviews",
        "/v1/ops/stuck?due_after_s=0&outbox_after_s=0",
        "/v1/ops/outbox",
        "/v1/ops/incidents",
        "/v1/ops/audit-log",
        f"/v1/ops/payments/{told['payment']}/explain",
        "/v1/gateways",
        "/v1/routing",
        "/v1/routing/versions",
    ]
    return [(shop, path) for path in of_shop] + [(night, path) for path in of_night]


@pytest.mark.slow
def test_the_stream_and_webhooks_tell_an_event_with_the_time_that_the_api_tells(
    told: dict[str, str], database_url: str, redis_url: str
) -> None:
    events = start_api(database_url).merchant().get(f"/v1/payments/{told['payment']}/events").json["data"]
    by_api = {event["id"]: event["created_at"] for event in events}
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        entries: list[Any] = redis.xrange("aegis:events")
    by_stream = [
        json.loads(next(value for value in fields.values() if value.startswith("{"))) for _, fields in entries
    ]
    assert by_stream
    assert all(event["created_at"] == by_api[event["id"]] for event in by_stream)


@pytest.mark.slow
def test_a_time_with_an_offset_is_told_in_utc(aegis: Aegis, told: dict[str, str]) -> None:
    moment = (datetime.now(UTC) - timedelta(hours=5)).replace(microsecond=0)
    for offset in (UTC, INDIA, timezone(-timedelta(hours=9, minutes=30)), timezone.max, timezone.min):
        given = moment.astimezone(offset).isoformat()
        ran = aegis("reconcile", "--dry-run", "--since", given)
        assert f"compared since (UTC)  {readable(moment)}" in ran.out
        assert aegis("audit", "--since", given, "--json").json["since"] == rfc3339(moment)
        assert aegis("routing", "simulate", "--since", given, "--json").json["since"] == rfc3339(moment)
        assert aegis("replay", told["payment"], "--as-of", given, "--json").json["as_of"] == rfc3339(moment)
        now = datetime.now(offset)
        told_as = aegis("replay", told["payment"], "--as-of", now.isoformat()).out
        assert f"as of {readable(now)} UTC" in told_as


@pytest.mark.parametrize(
    "value", ["0001-01-01T00:00+23:00", "yesterday", "24", "2026-02-30", "9999-12-31T23:59-12:00", "12:00"]
)
def test_a_time_that_is_none_is_wrong_usage(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database_url: str, value: str
) -> None:
    install(monkeypatch, database_url)
    ran = aegis("audit", "--since", value)
    assert ran.exit_code == 2
    assert "Traceback" not in ran.err


def test_what_is_told_as_of_a_time_had_happened_at_it(told: dict[str, str], database_url: str) -> None:
    shop = start_api(database_url).merchant()
    path = f"/v1/payments/{told['payment']}/events"
    for event in shop.get(path).json["data"]:
        until = shop.get(f"{path}?as_of={event['created_at']}").json["data"]
        assert event["id"] in [one["id"] for one in until]
