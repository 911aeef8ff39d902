"""`aegis tail` on a real stream."""

from __future__ import annotations

import json

import pytest
from support.command_line import NOBODY_THERE, Aegis, aegis, install
from support.payments import accept_one

from aegis_worker.persistence.database import Database
from aegis_worker.terminal.worker_parts import opened_worker

__all__ = ["aegis"]


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str, database: Database) -> list[str]:
    """Two payments, of which the stream was told."""
    install(monkeypatch, database_url, REDIS_URL=redis_url)
    ids = [accept_one(database, key).payment.id for key in ("one", "two")]
    with opened_worker(log_level="ERROR", hinting=False) as parts:
        parts.drain_outbox()
    return ids


def test_the_latest_events_are_shown_with_what_happened(aegis: Aegis, told: list[str]) -> None:
    lines = aegis("tail", "--no-follow").out.splitlines()
    assert [line.split()[1] for line in lines] == told
    assert all("payment.initiated" in line and "accepted: 19.99 USD (1999)" in line for line in lines)


def test_only_what_was_asked_for_is_shown(aegis: Aegis, told: list[str]) -> None:
    shown = aegis("tail", "--no-follow", "--payment", told[1], "--json").out.splitlines()
    assert [json.loads(line)["payment_id"] for line in shown] == told[1:]
    assert aegis("tail", "--no-follow", "--type", "payment.failed").out == ""
    assert aegis("tail", "--no-follow", "--merchant", "mer_other").out == ""
    assert len(aegis("tail", "--no-follow", "-n", "1").out.splitlines()) == 1
    assert aegis("tail", "--no-follow", "-n", "0").out == ""


def test_without_redis_it_says_what_shows_events_all_the_same(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", NOBODY_THERE)
    ran = aegis("tail")
    assert ran.exit_code == 3
    assert "aegis timeline" in ran.err
