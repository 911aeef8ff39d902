"""What is set for a gateway's retries, in the pipeline: by kind, by number, by decline code, and how long between."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from support.payments import accept_one, attempts_of, job_of, last_error_of, make_due, payment_of, pipeline
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.outcomes import Declined, NotSent
from aegis_worker.domain.retries import NotSentKind, RetryLimits
from aegis_worker.domain.transitions import State
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run

SOFT = Declined("insufficient_funds", "51", "not enough")
TOO_SLOW = NotSent("connect timed out", kind=NotSentKind.TIMEOUT)
BUSY = NotSent("rate limited", kind=NotSentKind.RATE_LIMIT)


def refusing(name: str, refusal: Any, **limits: Any) -> ScriptedGateway:
    return ScriptedGateway(name, answering(refusal), retry=RetryLimits(**limits))


@pytest.mark.parametrize(
    ("decline_attempts", "tried"),
    [
        ({}, "a"),
        ({"insufficient_funds": 20}, "abc"),
        ({"insufficient_funds": 2}, "ab"),
        ({"do_not_honor": 2}, "a"),
    ],
)
def test_a_decline_may_end_a_payment_before_every_gateway_was_tried(
    database: Database, decline_attempts: Mapping[str, int], tried: str
) -> None:
    gateways = [refusing(name, SOFT, decline_attempts=decline_attempts) for name in "abc"]
    payment_id = accept_one(database).payment.id
    run(pipeline(database, *gateways), "payments")
    assert "".join(attempt["gateway"] for attempt in attempts_of(database, payment_id)) == tried
    payment = payment_of(database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "insufficient_funds")


@pytest.mark.parametrize(
    ("refusal", "limits", "tries"),
    [
        (TOO_SLOW, {}, 3),
        (TOO_SLOW, {"max_attempts": 2}, 2),
        (TOO_SLOW, {"retry_on": frozenset({NotSentKind.RATE_LIMIT})}, 1),
        (BUSY, {"retry_on": frozenset({NotSentKind.RATE_LIMIT})}, 3),
        (BUSY, {"retry_on": frozenset()}, 1),
    ],
)
def test_a_gateway_that_was_not_reached_is_tried_as_often_as_is_set_for_it(
    database: Database, refusal: NotSent, limits: dict[str, Any], tries: int
) -> None:
    parts = pipeline(database, refusing("a", refusal, **limits))
    payment_id = accept_one(database).payment.id
    for _ in range(5):
        run(parts, "payments")
        make_due(database)
    assert [attempt["number"] for attempt in attempts_of(database, payment_id)] == [*range(1, tries + 1)]
    assert last_error_of(payment_of(database, payment_id))["code"] == "gateway_unavailable"


def test_pauses_are_drawn_from_what_is_set_and_capped_after_the_draw(database: Database) -> None:
    parts = pipeline(database, refusing("a", TOO_SLOW, initial_s=10_000, cap_s=50))
    paid = [accept_one(database, f"key-{n}").payment.id for n in range(8)]
    run(parts, "payments")
    waits_s = [
        (job["run_at"] - job["updated_at"]).total_seconds() for job in map(partial(job_of, database), paid)
    ]
    assert max(waits_s) < 50.1
    assert sum(wait_s > 49.9 for wait_s in waits_s) >= 6  # 199 of 200 draws are above the cap
