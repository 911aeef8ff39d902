"""Hooks that raise, hang or end their process, in the real pool, while a worker goes on with everybody's payments."""

from __future__ import annotations

import threading
import time

import pytest
from support.hook_pools import HANGING, MISBEHAVING, pool_of
from support.payments import accept_one, attempts_of, payment_of, pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.screening import Action, screening_of
from aegis_worker.domain.transitions import State
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.stage import Stage


@pytest.mark.slow
@pytest.mark.parametrize(
    ("does", "failed"),
    [
        ("exit", "raised SystemExit"),
        ("end", "its process ended while it ran"),
        ("answer a word", "answered"),
        ("sleep", "timed out after 200 ms"),
    ],
)
def test_a_fraud_check_that_fails_blocks_its_own_payment_and_no_other(
    database: Database, does: str, failed: str
) -> None:
    doomed = accept_one(database, "doomed", metadata={"do": does}).payment.id
    others = [accept_one(database, f"key-{number}").payment.id for number in range(10)]
    with pool_of(MISBEHAVING) as hooks:
        run(pipeline(database, ScriptedGateway("a"), stage=Stage(hooks)), "payments")
    assert {payment_of(database, payment_id).state for payment_id in others} == {State.SUCCESS}
    payment = payment_of(database, doomed)
    screening = screening_of(payment)
    assert screening is not None
    (found,) = screening.findings
    assert (payment.state, found.action) == (State.FAILURE, Action.BLOCK)
    assert failed in (found.failed or "")
    assert attempts_of(database, doomed) == []


@pytest.mark.slow
def test_twenty_hooks_that_hang_do_not_stall_a_worker_that_is_given_100_payments_a_second(
    database: Database,
) -> None:
    gateway = ScriptedGateway("a")
    with pool_of(HANGING, timeout_ms=200) as hooks:
        parts = pipeline(database, gateway, stage=Stage(hooks), run_limit_s=30, calls_in_flight=64)
        is_over = threading.Event()

        def work() -> None:
            while not is_over.is_set():
                run(parts, "payments")
                time.sleep(0.05)

        worker = threading.Thread(target=work)
        worker.start()
        ids = []
        for number in range(300):
            ids.append(accept_one(database, f"key-{number}").payment.id)
            time.sleep(0.01)
        while rows(database, "SELECT FROM jobs WHERE finished_at IS NULL"):
            time.sleep(0.1)
        is_over.set()
        worker.join()
        parts.tail.finish()
        run_until_quiet(parts)
    failed = [screening_of(payment_of(database, payment_id)) for payment_id in ids]
    assert {screening.action for screening in failed if screening is not None} == {Action.BLOCK}
    assert None not in failed
    assert gateway.charges == {}
