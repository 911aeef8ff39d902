"""Calls to a real gateway, struck on purpose: the money stays right, and the attempt says what was done to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.chaos import TimedChaos
from support.payments import (
    accept_one,
    attempts_of,
    job_of,
    let_pass,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
)
from support.sandbox_pair import SandboxPair, running_pair
from support.sandbox_process import API_KEY

from aegis_worker.chaos.plan import Injection, Kind
from aegis_worker.chaos.switches import DisturbedGates
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.queries.case_file import read_case_file
from aegis_worker.queries.explain import explain


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPair]:
    with running_pair(tmp_path_factory.mktemp("chaos")) as running:
        yield running


def disturbed(database: Database, pair: SandboxPair, chaos: TimedChaos) -> PipelineParts:
    """A pipeline to both gateways, whose timeouts are short enough to be waited for."""
    gateways = [
        LoadedGateway(
            SandboxAdapter(
                GatewayConfig(
                    name=sandbox.name,
                    adapter="sandbox",
                    base_url=sandbox.url,
                    api_key=API_KEY,
                    connect_timeout_s=0.2,
                    timeout_s=0.5 if any(one.kind in _WAITING for one in chaos.plan.injections) else 20.0,
                    options={"absence_window_s": 0},
                )
            )
        )
        for sandbox in (pair.a, pair.b)
    ]
    return pipeline(database, *gateways, disturbs=chaos.around)


_WAITING = (Kind.TIMEOUT, Kind.NO_SOCKETS)


def settle(database: Database, parts: PipelineParts) -> None:
    """What look-ups, repeats and other gateways make of it."""
    for _ in range(5):
        let_pass(database, 200)
        run(parts, "payments")
        run(parts, "verify")


# Of these three each leads to a doubt of another kind; what the others lead to is much alike.
_SHOWN = [
    Injection("silent-after", Kind.TIMEOUT, until_s=5, reaches=True),
    Injection("charged-500", Kind.HTTP_500, until_s=5, reaches=True),
    Injection("charge_then_drop", Kind.CHARGE_THEN_DROP, until_s=5),
]
_ALIKE = [
    Injection("network_error", Kind.NETWORK_ERROR, until_s=5, gateways=("sandbox_a",)),
    Injection("silent", Kind.TIMEOUT, until_s=5),
    Injection("http_429", Kind.HTTP_429, until_s=5, gateways=("sandbox_a",), retry_after_s=1),
    Injection("http_500", Kind.HTTP_500, until_s=5),
    Injection("charged-503", Kind.HTTP_503, until_s=5, reaches=True),
    Injection("invalid_answer", Kind.INVALID_ANSWER, until_s=5),
    Injection("other_payment", Kind.OTHER_PAYMENT, until_s=5),
    Injection("no_sockets", Kind.NO_SOCKETS, until_s=5, gateways=("sandbox_a",)),
    Injection("latency", Kind.LATENCY, until_s=5, delay_ms=30),
]


@pytest.mark.parametrize(
    "injection",
    [
        *(pytest.param(one, id=one.id) for one in _SHOWN),
        *(pytest.param(one, id=one.id, marks=pytest.mark.slow) for one in _ALIKE),
    ],
)
def test_whatever_strikes_the_payer_is_charged_once_and_the_attempt_says_what_struck(
    database: Database, pair: SandboxPair, injection: Injection
) -> None:
    chaos = TimedChaos(injection)
    parts = disturbed(database, pair, chaos)
    payment_id = accept_one(database).payment.id
    run_until_quiet(parts)
    (first, *_) = attempts_of(database, payment_id)
    assert first["outcome"]["injected"] == injection.told
    chaos.at_s = 5.0
    settle(database, parts)
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert [minor for _, minor in pair.charged(payment_id)] == [1999]
    (first, *_) = attempts_of(database, payment_id)
    assert first["outcome"]["injected"] == injection.told, "it stays when the attempt is resolved"
    with database.read() as connection:
        case = read_case_file(connection, None, payment_id)
    assert case is not None
    told = explain(case)
    assert any(f"injected: {injection.told}" in seen.what for seen in told.evidence)


def test_another_payments_answer_is_believed_by_nobody(database: Database, pair: SandboxPair) -> None:
    chaos = TimedChaos(Injection("other_payment", Kind.OTHER_PAYMENT))
    parts = disturbed(database, pair, chaos)
    payment_id = accept_one(database).payment.id
    run_until_quiet(parts)
    (attempt,) = attempts_of(database, payment_id)
    assert (attempt["status"], attempt["gateway_ref"]) == ("UNKNOWN", None)
    assert "an answer about something else" in attempt["outcome"]["reason"]
    let_pass(database, 200)
    run(parts, "verify")
    assert payment_of(database, payment_id).state is State.PROCESSING, "its look-ups are another's as well"


def test_what_strikes_one_send_alone_leaves_the_payment_no_trace_but_the_mark(
    database: Database, pair: SandboxPair
) -> None:
    chaos = TimedChaos(Injection("once", Kind.NETWORK_ERROR, cap=1))
    payment_id = accept_one(database).payment.id
    run_until_quiet(disturbed(database, pair, chaos))
    (attempt,) = attempts_of(database, payment_id)
    assert (attempt["status"], attempt["outcome"]["injected"]) == ("APPROVED", "network_error (once)")


def test_a_cap_ends_what_an_injection_does(database: Database, pair: SandboxPair) -> None:
    chaos = TimedChaos(Injection("capped", Kind.LATENCY, delay_ms=1, cap=3))
    for number in range(8):
        accept_one(database, f"key-{number}")
    run_until_quiet(disturbed(database, pair, chaos))
    marked = rows(database, "SELECT 1 FROM attempts WHERE outcome ->> 'injected' = 'latency (capped)'")
    assert len(marked) == 3


def test_the_same_seed_strikes_the_same_orders_in_another_run(database: Database, pair: SandboxPair) -> None:
    struck = []
    for turn in ("a", "b"):
        chaos = TimedChaos(Injection("some", Kind.LATENCY, delay_ms=1, probability=0.5), seed=11)
        ids = {
            accept_one(
                database, f"{turn}-{number}", merchant_id=f"m_{turn}", reference=f"order-{number}"
            ).payment.id
            for number in range(12)
        }
        run_until_quiet(disturbed(database, pair, chaos))
        found = rows(
            database,
            "SELECT p.reference FROM attempts a JOIN payments p ON p.id = a.payment_id"
            " WHERE a.outcome ? 'injected' AND p.id = ANY (%(ids)s)",
            ids=list(ids),
        )
        struck.append({row["reference"] for row in found})
    assert struck[0] == struck[1]
    assert 0 < len(struck[0]) < 12


def test_without_permits_nothing_is_sent_and_the_payment_waits(database: Database, pair: SandboxPair) -> None:
    chaos = TimedChaos(Injection("no_permits", Kind.NO_PERMITS, until_s=5))
    parts = disturbed(database, pair, chaos)
    parts = replace(parts, gates=DisturbedGates(parts.gates, chaos), run_limit_s=0.1)
    payment_id = accept_one(database).payment.id
    run_until_quiet(parts)
    assert attempts_of(database, payment_id) == []
    assert "no permit left (injected)" in str(job_of(database, payment_id)["reason"])
    chaos.at_s = 5.0
    settle(database, parts)
    assert payment_of(database, payment_id).state is State.SUCCESS
