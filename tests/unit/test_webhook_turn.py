"""One process of a worker delivers webhooks at a time, and no hint that was turned away is forgotten."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aegis_worker.tasks import outbox
from aegis_worker.webhooks.deliver import DeliveryReport
from aegis_worker.webhooks.turn import Turn, deliver_in_turn

FORK = multiprocessing.get_context("fork")
FOUND, NOTHING = DeliveryReport(claimed=2, delivered=2), DeliveryReport()
OUT_OF_TIME = DeliveryReport(claimed=1, failed=1, more=True)


def hold(
    turn: Turn, taken: multiprocessing.synchronize.Event, done: multiprocessing.synchronize.Event
) -> None:
    assert turn.take()
    taken.set()
    done.wait()
    turn.give_back()
    os._exit(0)


@contextmanager
def held_by_another_process(turn: Turn) -> Iterator[multiprocessing.process.BaseProcess]:
    taken, done = FORK.Event(), FORK.Event()
    other = FORK.Process(target=hold, args=(turn, taken, done))
    other.start()
    try:
        assert taken.wait(30)
        yield other
    finally:
        done.set()
        other.join()


def test_one_of_the_processes_that_were_forked_has_it() -> None:
    turn = Turn()
    with held_by_another_process(turn):
        assert not turn.take()
    assert turn.take()


def test_it_ends_with_the_process_that_has_it() -> None:
    turn = Turn()
    with held_by_another_process(turn) as other:
        assert other.pid is not None
        os.kill(other.pid, signal.SIGKILL)
        other.join()
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
