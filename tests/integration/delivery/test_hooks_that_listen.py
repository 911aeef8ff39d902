"""Hooks are told of events at least once and in order, and one that fails or hangs holds up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs
from support.outbox_events import STORY, a_payment, an_event, event_ids, execute, in_stream, make_due
from support.payments import rows
from support.scripted_hooks import CrowdedOut, Scripted, ScriptedHooks
from support.statement_counts import statements_of

from aegis_worker.delivery.drain import DrainReport, drain
from aegis_worker.delivery.listeners.deliver import HookDelivery, ListenReport
from aegis_worker.delivery.listeners.fan_out import HookFanOut
from aegis_worker.delivery.listeners.listening import Listening
from aegis_worker.delivery.listeners.numbers import MetricsHooks
from aegis_worker.delivery.stream import EventStream
from aegis_worker.delivery.turn import Turn
from aegis_worker.hooks import Count, Point
from aegis_worker.persistence import hook_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.hook_rows import Failure

MOST_TRIES = 3


class Outbox:
    """The outbox with hooks as sinks beside the stream."""

    def __init__(self, database: Database, redis_url: str, scripts: dict[Point, dict[str, Scripted]]) -> None:
        self.hooks = ScriptedHooks(scripts)
        self.database = database
        self.delivery = HookDelivery(database, self.hooks, lease_s=60, max_tries=MOST_TRIES)
        self._redis = Redis.from_url(redis_url)

    def drain(self) -> DrainReport:
        sinks = [HookFanOut(self.hooks), EventStream(self._redis, maxlen=1000), MetricsHooks(self.hooks)]
        return drain(self.database, sinks, limit=100, lease_s=30)

    def tell(self) -> ListenReport:
        return self.delivery.run(budget_s=10)

    def heard(self, name: str) -> list[Any]:
        return [context for who, context in self.hooks.asked if who == name]

    def waiting(self) -> list[tuple[Any, ...]]:
        found = rows(
            self.database,
            "SELECT hook, seq, status, tries FROM hook_deliveries ORDER BY hook, payment_id, seq",
        )
        return [tuple(row.values()) for row in found]


@pytest.fixture
def outbox(database: Database, redis_url: str) -> Callable[..., Outbox]:
    def start(scripts: dict[Point, dict[str, Scripted]]) -> Outbox:
        return Outbox(database, redis_url, scripts)

    return start


def takes(context: Any) -> None:
    """Hears of it and is content."""


def crowded_out(context: Any) -> None:
    raise CrowdedOut


def raises(context: Any) -> None:
    raise OSError("asha@shop.example can't be reached")


def test_a_hook_hears_of_each_event_in_order_and_of_nothing_twice(
    outbox: Callable[..., Outbox], database: Database
) -> None:
    ours = outbox({Point.LISTEN: {"a": takes, "b": takes}})
    first, second = a_payment(database), a_payment(database)
    assert ours.drain().delivered == 6
    assert ours.tell() == ListenReport(claimed=12, delivered=12)
    for name in ("a", "b"):
        told = ours.heard(name)
        assert {one.id for one in told} == {*event_ids(first, 1, 2, 3), *event_ids(second, 1, 2, 3)}
        assert len(told) == 6
        assert [one.seq for one in told if one.payment_id == first] == [1, 2, 3]
    assert ours.waiting() == []
    assert ours.tell() == ListenReport()


def test_an_event_is_told_as_webhooks_carry_it(outbox: Callable[..., Outbox], database: Database) -> None:
    ours = outbox({Point.LISTEN: {"a": takes}})
    payment_id = a_payment(database, events=[], reference="order-1")
    an_event(database, payment_id, 1, "PAYMENT_SUCCEEDED", data={"gateway": "sandbox_a"})
    ours.drain()
    ours.tell()
    [told] = ours.heard("a")
    assert (told.type, told.merchant_id, told.mode) == ("payment.succeeded", "m_1", "test")
    assert told.data == {
        "gateway": "sandbox_a",
        "mode": "test",
        "amount": 1999,
        "currency": "USD",
        "reference": "order-1",
        "state": "SUCCESS",
    }


def test_a_hook_that_raises_is_told_again_and_holds_up_neither_the_stream_nor_another_hook(
    outbox: Callable[..., Outbox], database: Database, redis_url: str
) -> None:
    ours = outbox({Point.LISTEN: {"bad": raises, "good": takes}})
    a_payment(database)
    assert ours.drain().delivered == len(STORY)
    report = ours.tell()
    assert (report.delivered, report.failed, report.dead) == (3, 1, 0)
    assert len(in_stream(redis_url)) == len(ours.heard("good")) == 3
    # What is behind the event that failed waits with it: the hook sees a payment's events in order.
    assert ours.waiting() == [("bad", 1, "pending", 1), ("bad", 2, "pending", 0), ("bad", 3, "pending", 0)]
    assert ours.tell() == ListenReport()
    assert len(ours.heard("bad")) == 1


def test_an_event_that_a_hook_does_not_take_is_given_up_after_its_tries_and_the_next_is_told(
    outbox: Callable[..., Outbox], database: Database
) -> None:
    ours = outbox({Point.LISTEN: {"bad": lambda told: raises(told) if told.seq == 1 else None}})
    a_payment(database)
    ours.drain()
    with capture_logs() as logs:
        for _ in range(MOST_TRIES):
            ours.tell()
            make_due(database, "hook_deliveries")
    assert [one.seq for one in ours.heard("bad")] == [1, 1, 1, 2, 3]
    assert ours.waiting() == [("bad", 1, "dead", MOST_TRIES)]
    [line] = [log for log in logs if log["event"] == "hook given up on an event"]
    assert (line["hook"], line["point"], line["error"]) == ("bad", "listen", "raised OSError")
    assert "asha" not in repr(rows(database, "SELECT * FROM hook_deliveries")) + repr(logs)


def test_a_hook_that_was_only_crowded_out_has_not_failed_a_try(
    outbox: Callable[..., Outbox], database: Database
) -> None:
    ours = outbox({Point.LISTEN: {"mail": crowded_out}})
    a_payment(database, events=STORY[:1])
    ours.drain()
    assert ours.tell() == ListenReport(claimed=1)
    assert ours.waiting() == [("mail", 1, "pending", 0)]
    ours.hooks.scripts = {Point.LISTEN: {"mail": takes}}
    make_due(database, "hook_deliveries")
    assert ours.tell().delivered == 1


def test_what_was_given_up_can_be_told_again(outbox: Callable[..., Outbox], database: Database) -> None:
    ours = outbox({Point.LISTEN: {"mail": takes}})
    a_payment(database, events=STORY[:1])
    ours.drain()
    execute(database, "UPDATE hook_deliveries SET status = 'dead', tries = 3, last_error = 'raised OSError'")
    assert ours.tell() == ListenReport()
    [backlog] = database.run(lambda connection: hook_rows.backlog(connection, most=100))
    assert (backlog.hook, backlog.pending, backlog.dead, backlog.last_error) == (
        "mail",
        0,
        1,
        "raised OSError",
    )
    assert database.run(lambda connection: hook_rows.again(connection, "mail", limit=10)) == 1
    assert ours.tell().delivered == 1


def test_one_event_alone_can_be_told_again(outbox: Callable[..., Outbox], database: Database) -> None:
    ours = outbox({Point.LISTEN: {"mail": takes}})
    payment_id = a_payment(database, events=STORY[:2])
    ours.drain()
    execute(database, "UPDATE hook_deliveries SET status = 'dead', tries = 3, last_error = 'raised OSError'")

    def again(of_event: tuple[str, int]) -> int:
        return database.run(lambda tx: hook_rows.again(tx, "mail", limit=10, of_event=of_event))

    assert again((payment_id, 3)) == 0
    assert again((payment_id, 2)) == 1
    assert ours.waiting() == [("mail", 1, "dead", 3), ("mail", 2, "pending", 0)]
    assert ours.tell().delivered == 1


def test_a_slow_hook_holds_up_no_other(outbox: Callable[..., Outbox], database: Database) -> None:
    goes_on = threading.Event()
    told_all = threading.Barrier(2, timeout=20)
    seen: list[str] = []

    def quick(context: Any) -> None:
        seen.append(context.id)
        if len(seen) == 9:
            told_all.wait()

    ours = outbox({Point.LISTEN: {"slow": lambda _: goes_on.wait(20), "quick": quick}})
    for _ in range(3):
        a_payment(database)
    ours.drain()
    run = threading.Thread(target=ours.tell)
    run.start()
    told_all.wait()  # while "slow" has answered nothing
    assert len(ours.heard("slow")) <= 2
    goes_on.set()
    run.join()
    assert ours.waiting() == []


@pytest.mark.slow
@pytest.mark.parametrize(("takes_ms", "portions"), [(1.0, 3), (500.0, 5)])
def test_a_hook_that_is_quick_is_told_in_larger_portions_than_one_that_is_not(
    outbox: Callable[..., Outbox], database: Database, takes_ms: float, portions: int
) -> None:
    ours = outbox({Point.LISTEN: {"a": takes}})
    ours.hooks.takes_ms = takes_ms
    for _ in range(200):
        a_payment(database, events=STORY[:1])
    while ours.drain().more:
        pass
    with statements_of(database) as asked:
        assert ours.tell().delivered == 200
    claims = [statement for statement in asked if "EXECUTE hook_claim" in statement]
    assert len(claims) == portions  # the last of which finds nothing
    assert ours.waiting() == []


def test_a_worker_that_dies_while_a_hook_is_told_has_it_told_again(
    outbox: Callable[..., Outbox], database: Database
) -> None:
    ours = outbox({Point.LISTEN: {"a": takes}})
    a_payment(database)
    ours.drain()
    claimed = database.run(
        lambda connection: hook_rows.claim(connection, ours.delivery.listeners, of_each=10, lease_s=30)
    )
    assert [(one.event.seq, one.tries) for one in claimed] == [(1, 0)]
    assert ours.tell() == ListenReport()  # it is leased, and the others are behind it
    make_due(database, "hook_deliveries")
    assert ours.tell().delivered == 3


def test_whoever_lost_its_lease_settles_nothing(outbox: Callable[..., Outbox], database: Database) -> None:
    ours = outbox({Point.LISTEN: {"a": takes}})
    a_payment(database)
    ours.drain()

    def claim() -> list[hook_rows.ClaimedForHook]:
        return database.run(
            lambda connection: hook_rows.claim(connection, ours.delivery.listeners, of_each=10, lease_s=30)
        )

    zombies = claim()
    make_due(database, "hook_deliveries")
    assert len(claim()) == 1
    failure = Failure(zombies[0], "raised OSError", None)
    settle = hook_rows.settle
    assert database.run(lambda connection: settle(connection, zombies)) == 0
    assert database.run(lambda connection: settle(connection, [], [failure])) == 0
    assert database.run(lambda connection: settle(connection, [], (), zombies)) == 0
    assert [row[2] for row in ours.waiting()] == ["pending"] * 3


def test_after_operation_hears_of_ends_alone(outbox: Callable[..., Outbox], database: Database) -> None:
    ours = outbox({Point.AFTER_OPERATION: {"books": takes}})
    payment_id = a_payment(database, events=STORY[:2])
    charged = {"gateway": "sandbox_a", "authorized_minor": 1999, "captured_minor": 1999, "last_error": None}
    an_event(database, payment_id, 3, "PAYMENT_SUCCEEDED", data=charged)
    refunded = {
        "refund_id": "ref_1",
        "amount_minor": 500,
        "gateway": "sandbox_a",
        "error": {"code": "no_funds"},
    }
    an_event(database, payment_id, 4, "REFUND_REQUESTED", data=refunded)
    an_event(database, payment_id, 5, "REFUND_FAILED", data=refunded)
    ours.drain()
    assert ours.tell().delivered == 2
    told = [
        (one.operation, one.outcome, one.amount_minor, one.entity_id, one.code) for one in ours.heard("books")
    ]
    assert told == [("charge", "succeeded", 1999, None, None), ("refund", "failed", 500, "ref_1", "no_funds")]


def test_metrics_hooks_get_each_batchs_numbers_once_and_their_failure_is_nobodys(
    outbox: Callable[..., Outbox], database: Database, redis_url: str
) -> None:
    ours = outbox({Point.METRICS: {"graphs": raises}})
    a_payment(database, events=STORY[:2])
    a_payment(database, events=STORY[:1])
    assert ours.drain().failed == 0
    assert len(in_stream(redis_url)) == 3
    [numbers] = ours.heard("graphs")
    assert set(numbers.counts) == {
        Count("payment.initiated", "test", "USD", 2, 3998),
        Count("payment.processing", "test", "USD", 1, 1999),
    }
    assert ours.waiting() == []


def test_a_drain_wakes_the_thread_that_tells_and_it_ends_with_the_process(
    outbox: Callable[..., Outbox], database: Database
) -> None:
    ours = outbox({Point.LISTEN: {"a": takes}})
    a_payment(database)
    ours.drain()
    listening = Listening(ours.delivery, ours.hooks.close)
    told = threading.Event()
    ours.hooks.scripts = {Point.LISTEN: {"a": lambda event: told.set() if event.seq == 3 else None}}
    listening.wake(Turn())
    assert told.wait(20)
    listening.finish()
    assert ours.waiting() == []
    assert ours.hooks.closed
    listening.wake(Turn())  # too late: nothing begins any more


def test_where_no_hook_listens_nothing_is_made_or_asked(
    outbox: Callable[..., Outbox], database: Database
) -> None:
    ours = outbox({})
    a_payment(database)
    assert ours.drain().delivered == len(STORY)
    listening = Listening(ours.delivery, ours.hooks.close)
    with statements_of(database) as asked:
        listening.wake(Turn())
        assert listening.run() == ListenReport()
    assert asked == []
    assert ours.waiting() == []
    listening.finish()
