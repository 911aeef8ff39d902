"""One process of a worker delivers webhooks at a time, and no hint that was turned away is forgotten."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aegis_worker.delivery.turn import Turn
from aegis_worker.delivery.webhooks.deliver import DeliveryReport
from aegis_worker.delivery.webhooks.in_turn import deliver_in_turn
from aegis_worker.tasks import outbox

FOUND, NOTHING = DeliveryReport(claimed=2, delivered=2), DeliveryReport()
OUT_OF_TIME = DeliveryReport(claimed=1, failed=1, more=True)


@contextmanager
def held_by_another_process(turn: Turn) -> Iterator[int]:
    """A while in which a process that was forked from this one has it; the process's id."""
    told, tells = os.pipe()
    until, ends = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ends)
        os.write(tells, b"y" if turn.take() else b"n")
        os.read(until, 1)  # until the other end is closed
        os._exit(0)
    os.close(tells)
    os.close(until)
    try:
        assert os.read(told, 1) == b"y"
        yield pid
    finally:
        os.close(ends)
        os.close(told)
        os.waitpid(pid, 0)


def test_one_of_the_processes_that_were_forked_has_it() -> None:
    turn = Turn()
    with held_by_another_process(turn):
        assert not turn.take()
    assert turn.take()


def test_it_ends_with_the_process_that_has_it() -> None:
    turn = Turn()
    with held_by_another_process(turn) as pid:
        os.kill(pid, signal.SIGKILL)
    assert turn.take()


def test_the_task_s_turn_is_made_before_a_worker_forks() -> None:
    with held_by_another_process(outbox._TURN):
        assert not outbox._TURN.take()


def delivering(*reports: DeliveryReport) -> tuple[list[DeliveryReport], list[str], DeliveryReport]:
    """What was left undelivered, the hints, and the report, where a run gives each of these."""
    left, hints = list(reports), []
    report = deliver_in_turn(Turn(), lambda: left.pop(0), again=lambda: hints.append("webhooks"))
    return left, hints, report


def test_it_looks_again_until_nothing_is_found() -> None:
    left, hints, report = delivering(FOUND, FOUND, NOTHING, FOUND)
    assert (left, hints) == ([FOUND], [])
    assert (report.claimed, report.delivered, report.more) == (4, 4, False)


def test_a_run_that_is_out_of_time_asks_for_another() -> None:
    left, hints, report = delivering(OUT_OF_TIME, FOUND)
    assert (left, hints) == ([FOUND], ["webhooks"])
    assert (report.claimed, report.failed, report.more) == (1, 1, True)


def test_a_process_ends_its_task_though_there_is_always_something() -> None:
    hints: list[str] = []
    report = deliver_in_turn(Turn(), lambda: FOUND, again=lambda: hints.append("webhooks"), budget_s=0)
    assert (report.claimed, hints) == (2, ["webhooks"])


def test_where_another_process_delivers_there_is_nothing_to_do() -> None:
    turn = Turn()
    with held_by_another_process(turn):
        assert deliver_in_turn(turn, lambda: FOUND, again=lambda: None) == NOTHING


def test_a_run_that_breaks_gives_its_turn_back() -> None:
    turn = Turn()

    def breaks() -> DeliveryReport:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        deliver_in_turn(turn, breaks, again=lambda: None)
    with held_by_another_process(turn):
        assert not turn.take()
