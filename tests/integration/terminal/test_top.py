"""`aegis top` on a real database: what its tables say, and its screen under a person's keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from support.command_line import Aegis, aegis, install
from support.payments import accept_one, pipeline
from support.reviews import doubtful, in_review
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.terminal.top.details import detail
from aegis_worker.terminal.top.look import Look, look
from aegis_worker.terminal.top.screen import Top
from aegis_worker.terminal.top.tables import PANELS, headline
from aegis_worker.terminal.worker_parts import opened_worker
from aegis_worker.wiring.worker import Worker

__all__ = ["aegis"]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[Worker]:
    install(monkeypatch, database_url)
    with opened_worker(log_level="ERROR", hinting=False) as opened:
        yield opened


@pytest.fixture
def doubted(database: Database) -> tuple[str, str]:
    """A payment that waits for a person, and one in doubt."""
    gateway = doubtful()
    waiting = in_review(database, gateway)
    doubt = accept_one(database, "key-2").payment.id
    run(pipeline(database, gateway), "payments")
    return str(waiting), doubt


def cells(seen: Look, panel: str) -> list[tuple[str, ...]]:
    return [row.cells for row in PANELS[panel].rows(seen)]


def test_nothing_at_all_is_told_as_such(parts: Worker) -> None:
    seen = look(parts)
    assert headline(seen).startswith("not audited yet  ·  0 wait for a person  ·  0 in doubt")
    assert [cells(seen, panel) for panel in "345"] == [[], [], []]
    assert cells(seen, "1")[0] == ("payments", "0", "", "0", "0")


def test_each_table_has_what_waits(parts: Worker, doubted: tuple[str, str]) -> None:
    waiting, doubt = doubted
    seen = look(parts)
    assert "1 wait for a person (19.99 USD (1999))  ·  1 in doubt (19.99 USD (1999))" in headline(seen)
    (in_doubt,) = cells(seen, "3")
    assert in_doubt[0] == doubt
    assert in_doubt[-1] == "may or may not have happened: read timeout"
    (review,) = cells(seen, "4")
    assert review[:2] == (waiting, "doubt")
    assert dict(zip(PANELS["1"].columns, cells(seen, "1")[1], strict=True))["queue"] == "verify"


def test_a_line_says_more_when_asked(parts: Worker, doubted: tuple[str, str]) -> None:
    seen = look(parts)
    assert "read timeout" in detail(parts, "3", doubted[1], seen)
    assert doubted[1] in detail(parts, "1", "verify", seen)
    assert detail(parts, "5", "whe_1", seen) == "whe_1"
    assert "Redis can't be asked" in detail(parts, "2", "sandbox_a", seen)


def test_keys_choose_a_table_and_say_more(parts: Worker, doubted: tuple[str, str]) -> None:
    async def at_the_keyboard() -> None:
        app = Top(lambda: look(parts), lambda *line: detail(parts, *line), interval_s=3600)
        async with app.run_test(size=(160, 40)) as pilot:
            await shown(pilot, "1 in doubt")
            await pilot.press("3")
            await pilot.pause()
            assert app.query_one(DataTable).row_count == 1
            await pilot.press("enter")
            await shown(pilot, f"aegis explain {doubted[1]}")
            await pilot.press("escape")
            await pilot.press("q")

    asyncio.run(at_the_keyboard())


def test_what_merchants_and_gateways_wrote_stays_text(
    parts: Worker, database: Database, doubted: tuple[str, str]
) -> None:
    poison = "[/nothing] [red]\x1b[2J"
    named = "UPDATE jobs SET reason = %(reason)s WHERE payment_id = %(id)s"
    database.run(lambda tx: tx.exec_driver_sql(named, {"reason": poison, "id": doubted[0]}))

    async def at_the_keyboard() -> None:
        app = Top(lambda: look(parts), lambda *line: poison, interval_s=3600)
        async with app.run_test(size=(160, 40)) as pilot:
            await shown(pilot, "1 in doubt")
            await pilot.press("4")
            await pilot.pause()
            assert (
                str(app.query_one(DataTable).get_row_at(0)[-1])
                == "[/nothing] [red]\N{REPLACEMENT CHARACTER}[2J"
            )
            await pilot.press("enter")
            await shown(pilot, "[/nothing] [red]\N{REPLACEMENT CHARACTER}[2J")

    asyncio.run(at_the_keyboard())


def test_what_cannot_be_read_keeps_what_was_there_and_says_so(parts: Worker) -> None:
    looks: list[Look | DatabaseUnavailable] = [look(parts), DatabaseUnavailable("PostgreSQL is away")]

    def one_after_the_other() -> Look:
        seen = looks.pop(0)
        if isinstance(seen, DatabaseUnavailable):
            raise seen
        return seen

    async def at_the_keyboard() -> None:
        app = Top(one_after_the_other, lambda *line: "", interval_s=3600)
        async with app.run_test(size=(160, 40)) as pilot:
            await shown(pilot, "not audited yet")
            await app.workers.wait_for_complete()  # while a look is under way no other begins
            await pilot.press("r")
            await shown(pilot, "not updated: PostgreSQL is away")
            assert "not audited yet" in texts(pilot)

    asyncio.run(at_the_keyboard())


async def shown(pilot: Pilot[None], text: str) -> None:
    """Wait until the text is on the screen, 10 s at most."""
    for _ in range(200):
        if text in texts(pilot):
            return
        await pilot.pause(0.05)
    raise AssertionError(f"{text!r} is not in {texts(pilot)!r}")


def texts(pilot: Pilot[None]) -> str:
    return "\n".join(str(one.content) for one in pilot.app.screen.query(Static))


def test_without_a_terminal_it_says_what_to_do_and_json_has_it_all(aegis: Aegis, parts: Worker) -> None:
    refused = aegis("top")
    assert refused.exit_code == 3
    assert "use --json" in refused.err
    told = json.loads(aegis("top", "--json").out)
    assert told["safety"]["in_doubt"]["payments"] == 0
    assert [queue["queue"] for queue in told["queues"]] == ["payments", "verify"]
