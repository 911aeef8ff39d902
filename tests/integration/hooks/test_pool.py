"""Hooks in processes of their own: whatever one does, its payment gets an answer in time, and no other pays for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import psutil
import pytest
from support.checkout import CHECKOUT
from support.hook_pools import GOOD, HANGING, MISBEHAVING, ROUTES, payment, pool_of, said_of
from support.metering import metering
from support.sandbox_process import eventually

from aegis_worker.errors import ConfigurationError
from aegis_worker.hooks import FraudAnswer, GatewayFacts, Point, Routing, Said
from aegis_worker.hooks.config import PoolConfig
from aegis_worker.hooks.pool import HookPool

_OUT_OF_ACTION = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)


@pytest.fixture(scope="module")
def pool() -> Iterator[HookPool]:
    with pool_of(MISBEHAVING, GOOD, ROUTES, timeout_ms=400, timeouts=100) as made:
        yield made


@pytest.mark.parametrize(
    ("does", "failed"),
    [
        ("sleep", "timed out after 400 ms"),
        ("swallow signals", "timed out after 400 ms"),
        ("end", "its process ended while it ran"),
        ("crash", "its process ended while it ran"),
        ("close all files", "its process ended while it ran"),
        ("exit", "raised SystemExit"),
        ("interrupt", "raised KeyboardInterrupt"),
        ("want memory", "raised MemoryError"),
        ("what there is not", "raised KeyError"),
        ("answer a set", "answered what is no answer at this point"),
        ("answer a circle", "answered what can't be sent: RecursionError"),
        ("answer 1 MB", "answered more than 64 KiB"),
        ("answer a word", "answered what is no answer at this point"),
        ("answer an action that there is not", "answered what is no answer at this point"),
        ("answer a score that is none", "answered what is no answer at this point"),
    ],
)
def test_a_hook_that_gives_no_answer_has_failed_and_the_next_is_asked(
    pool: HookPool, does: str, failed: str
) -> None:
    said = said_of(pool, do=does)
    assert said[MISBEHAVING].failed == failed
    assert said[MISBEHAVING].policy == "closed"
    assert said[GOOD].answer == FraudAnswer(score=0)


@pytest.mark.parametrize("does", ["fork", "print"])
def test_a_hook_that_forks_or_prints_has_said_nothing_wrong(pool: HookPool, does: str) -> None:
    assert said_of(pool, do=does)[MISBEHAVING].failed is None
    assert said_of(pool)[GOOD].answer == FraudAnswer(score=0)


def test_a_plain_dictionary_is_an_answer_where_it_has_the_fields_of_one(pool: HookPool) -> None:
    answer = said_of(pool, do="answer a dict")[MISBEHAVING].answer
    assert isinstance(answer, FraudAnswer)
    assert (answer.action, answer.score) == ("review", 3)


def test_hooks_of_other_points_and_other_names_are_not_asked(pool: HookPool) -> None:
    gateways = [GatewayFacts("first"), GatewayFacts("last")]
    (routed,) = pool.ask(Point.ROUTE, Routing(payment().payment, gateways), within_s=10)
    assert routed.answer == ("last",)
    (only,) = pool.ask(Point.FRAUD_CHECK, payment(), within_s=10, only=GOOD)
    assert only.hook == GOOD
    assert not pool.has(Point.LISTEN)
    assert pool.ask(Point.LISTEN, payment(), within_s=10) == ()


def test_a_hook_that_is_loaded_has_counts_before_it_is_asked(pool: HookPool) -> None:
    with metering() as counted:
        assert pool.beside(processes=1).names(Point.FRAUD_CHECK) == pool.names(Point.FRAUD_CHECK)
        assert counted.series("aegis_hook_calls", GOOD, "fraud_check") == {
            (end,): 0 for end in ("answered", "failed", "timed_out", "crashed", "refused", "unasked")
        }


def test_whoever_waits_no_longer_is_told_which_hook_gave_no_answer_and_which_was_not_asked(
    pool: HookPool,
) -> None:
    said = said_of(pool, within_s=0.05, do="sleep")
    assert said[MISBEHAVING].failed == "gave no answer in time"
    assert said[GOOD].failed == "was not asked in time: others were before it"


def test_many_payments_beside_one_whose_hook_hangs_are_all_answered_and_none_is_blamed(
    pool: HookPool,
) -> None:
    told: SimpleQueue[tuple[Said, ...]] = SimpleQueue()
    pool.begin(Point.FRAUD_CHECK, payment(do="sleep"), told.put, within_s=10)
    for _ in range(300):
        pool.begin(Point.FRAUD_CHECK, payment(), told.put, within_s=10)
    failures = [one.failed for _ in range(301) for one in told.get(timeout=20) if one.failed]
    assert failures == ["timed out after 400 ms"]


def test_a_context_that_is_too_large_fails_its_own_hooks_alone(pool: HookPool) -> None:
    said = said_of(pool, text="x" * 300_000)
    assert {one.failed for one in said.values()} == {
        "was not asked: what it would be shown is more than 256 KiB"
    }
    assert said_of(pool)[GOOD].failed is None


@pytest.mark.slow
def test_hooks_do_not_get_what_the_environment_keeps_from_them() -> None:
    with pool_of(MISBEHAVING, environment={"PATH": os.environ["PATH"], "OUR_SHOP": "1"}) as pool:
        shown = said_of(pool, do="show the environment")[MISBEHAVING].answer.reason
    assert "OUR_SHOP" in shown
    assert "DATABASE_URL" not in shown


def test_after_time_outs_in_a_row_a_hook_is_left_alone_and_others_go_on() -> None:
    with pool_of(MISBEHAVING, GOOD, timeouts=2, timeout_ms=50) as pool:
        for _ in range(2):
            assert said_of(pool, do="sleep")[MISBEHAVING].failed == "timed out after 50 ms"
        said = said_of(pool)
    assert said[MISBEHAVING].failed == "its breaker is open for another 60 s"
    assert said[GOOD].answer == FraudAnswer(score=0)


@pytest.mark.slow
def test_when_its_time_is_over_one_payment_tries_the_hook_and_an_answer_closes_the_breaker() -> None:
    with pool_of(MISBEHAVING, timeouts=1, timeout_ms=50, open_ms=100) as pool:
        assert said_of(pool, do="sleep")[MISBEHAVING].failed == "timed out after 50 ms"
        assert eventually(lambda: said_of(pool)[MISBEHAVING].failed is None, within_s=10)
        assert said_of(pool)[MISBEHAVING].failed is None


def test_twenty_hooks_that_hang_hold_up_no_hook_of_another_point() -> None:
    gateways = Routing(payment().payment, [GatewayFacts("only")])
    with pool_of(HANGING, ROUTES, timeout_ms=1000) as pool:
        told: SimpleQueue[tuple[Said, ...]] = SimpleQueue()
        for _ in range(100):
            pool.begin(Point.FRAUD_CHECK, payment(), told.put, within_s=2)
        routed = [pool.ask(Point.ROUTE, gateways, within_s=1)[0] for _ in range(20)]
        answers = [told.get(timeout=10) for _ in range(100)]
    assert [one.failed for one in routed] == [None] * 20
    assert {len(said) for said in answers} == {20}
    assert all(one.failed for said in answers for one in said)


@pytest.mark.slow
@pytest.mark.parametrize("does", ["stop once it has answered", "end behind a child that stays"])
def test_a_payment_that_is_sent_to_a_process_which_begins_with_nothing_is_asked_about_elsewhere(
    does: str,
) -> None:
    before = set(psutil.Process().children())
    with pool_of(MISBEHAVING, processes=1) as pool:
        said_of(pool)
        (loader,) = set(psutil.Process().children()) - before
        (process,) = loader.children()
        assert said_of(pool, do=does)[MISBEHAVING].failed is None
        assert eventually(lambda: process.status() in _OUT_OF_ACTION, within_s=10)
        assert said_of(pool, within_s=PoolConfig().most_within_ms / 1000)[MISBEHAVING].failed is None


def test_a_payment_that_others_are_before_is_told_so_and_its_hook_is_not_blamed() -> None:
    with pool_of(MISBEHAVING, processes=1, timeout_ms=5000) as pool:
        told: SimpleQueue[tuple[Said, ...]] = SimpleQueue()
        said_of(pool)
        pool.begin(Point.FRAUD_CHECK, payment(sleep_ms=1000), told.put, within_s=10)
        (behind,) = said_of(pool, within_s=0.2).values()
        (before,) = told.get(timeout=10)
    assert (behind.crowded_out, behind.failed) == (True, "was not asked in time: others were before it")
    assert (before.crowded_out, before.failed) == (False, None)


def test_when_the_process_that_loads_plug_ins_is_killed_another_takes_its_place() -> None:
    before = set(psutil.Process().children())
    with pool_of(GOOD) as pool:
        (loader,) = set(psutil.Process().children()) - before
        loader.kill()
        assert eventually(lambda: said_of(pool, within_s=5)[GOOD].failed is None, within_s=20)


def test_the_processes_of_hooks_end_with_the_one_that_asks_also_where_a_hook_hangs_and_it_is_killed(
    tmp_path: Path,
) -> None:
    asks = tmp_path / "asks.py"
    asks.write_text(_ASKS)
    environ = {**os.environ, "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{CHECKOUT / 'tests'}"}
    process = subprocess.Popen([sys.executable, str(asks)], env=environ, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"asked\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    assert eventually(lambda: not any(child.is_running() for child in children), within_s=10)


_ASKS = """
import time
from support.hook_pools import MISBEHAVING, payment, pool_of
from aegis_worker.hooks import Point
with pool_of(MISBEHAVING, timeout_ms=30_000) as pool:
    pool.begin(Point.FRAUD_CHECK, payment(do="swallow signals"), print, within_s=30)
    while not any(process.in_flight for process in pool._supervisor._fleet.processes):
        time.sleep(0.01)
    print("asked", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import os; os._exit(3)", "ended"),
        pytest.param("import time; time.sleep(60)", "longer than 500 ms to load", marks=pytest.mark.slow),
        pytest.param(
            "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
            "from aegis_worker.hooks import hookimpl\n@hookimpl\ndef listen(context): pass",
            "starts a thread when it is imported",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_can_not_be_loaded_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, why: str
) -> None:
    (tmp_path / "poor_plug_in.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    slow = "sleep(60)" in source
    with (
        pytest.raises(ConfigurationError, match=why) as refused,
        pool_of("poor_plug_in", load_within_ms=500 if slow else 15_000),
    ):
        pass
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_a_process_is_sent_no_more_once_its_pool_is_closed() -> None:
    with pool_of(GOOD) as pool:
        assert said_of(pool)[GOOD].failed is None
    assert said_of(pool, within_s=1)[GOOD].failed is not None
