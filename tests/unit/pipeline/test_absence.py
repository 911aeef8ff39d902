"""What may follow when a look-up finds nothing, by the gateway's keys and windows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.attempts import an_attempt

from aegis_worker.domain.gateway_keys import gateway_key
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.lab.conformance.numbered import METHOD
from aegis_worker.pipeline.operations.absence import MAX_SENDS, Missing, after_not_found
from aegis_worker.pipeline.operations.requests import request_for
from aegis_worker.pipeline.work import Route, Work
from aegis_worker.routing.router import Decision

PAYMENT = Payment("pay_1", "m_1", PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "tok_ok"}))
VAULTED = Payment("pay_1", "m_1", PaymentTerms(Money(1999, "USD"), METHOD))

NOW_S = 5000.0


def follows(
    operation=Operation.PROCESS,
    *,
    payment=PAYMENT,
    key_lifetime_s=1000.0,
    pays_once=None,
    payer_has_paid=False,
    may_repeat=True,
    now_s=NOW_S,
    asked_at_s=NOW_S,
    **attempt,
):
    """What follows for an attempt in doubt at a gateway with an absence window of 120 s."""
    job = ClaimedJob("job_1", "process", 1, 1, payment, ())
    once: dict[str, Any] = {"pays_once": re.compile(pays_once), "pays_once_s": 1000.0} if pays_once else {}
    capabilities = {"a": Capabilities((operation,), key_lifetime_s, 120, **once)}
    work = Work(job, payment, (), Route(Decision(("a",), {}), capabilities, {}), now_s=now_s)
    fields = {
        "gateway_key": gateway_key(payment.id, operation, 1),
        "request_hash": request_for(work, operation, 1, "a").fingerprint(),
        "status": "UNKNOWN",
        "gateway_ref": None,
        "outcome": {"reason": "reset"},
        "sent_at_s": NOW_S - 10.0,
    }
    told = {"may_repeat": may_repeat, "payer_has_paid": payer_has_paid}
    return after_not_found(work, an_attempt(operation, **fields | attempt), asked_at_s, **told)


CONSUMED = {"outcome": {"reason": "consumed", "stored": True}}
LONG_AGO = {"sent_at_s": NOW_S - 600.0}
OFTEN = {"not_found_count": 2, "first_not_found_at_s": NOW_S - 120.0}


@pytest.mark.parametrize("status", ["SENT", "UNKNOWN"])
def test_a_call_that_left_no_trace_is_repeated_while_the_gateway_remembers_its_key(status):
    assert follows(status=status) is Missing.SEND_AGAIN


@pytest.mark.parametrize(
    "attempt",
    [
        LONG_AGO,
        {"sends": MAX_SENDS},
        {"outcome": {"reason": "HTTP 500", "stored": True}},
        {"request_hash": "another body"},
        {"status": "PENDING"},
        {"key_lifetime_s": 0.0},
    ],
    ids=["key expired", "sent often", "500 stored under the key", "other body", "pending", "no keys"],
)
def test_otherwise_it_is_only_asked_about(attempt):
    assert follows(**attempt) is Missing.ASK_AGAIN


def test_absence_needs_three_answers_over_the_absence_window():
    assert follows(**LONG_AGO, not_found_count=1, first_not_found_at_s=NOW_S - 500.0) is Missing.ASK_AGAIN
    assert follows(**LONG_AGO, not_found_count=9, first_not_found_at_s=NOW_S - 119.0) is Missing.ASK_AGAIN
    assert follows(**LONG_AGO, **OFTEN) is Missing.ABSENT


def test_a_charge_at_a_gateway_without_keys_is_never_believed_to_be_absent():
    assert follows(key_lifetime_s=0.0, **OFTEN) is Missing.ASK_A_PERSON


def test_a_token_that_pays_once_is_as_good_as_a_key_for_its_charge_alone():
    once = {"key_lifetime_s": 0.0, "pays_once": "tok_.*"}
    assert follows(**once) is Missing.SEND_AGAIN
    assert follows(**once, **LONG_AGO) is Missing.ASK_AGAIN
    assert follows(**once, **LONG_AGO, **OFTEN) is Missing.ABSENT
    assert follows(Operation.REFUND, **once) is Missing.ASK_AGAIN
    assert follows(key_lifetime_s=0.0, pays_once="another", **OFTEN) is Missing.ASK_A_PERSON
    assert follows(payment=VAULTED, key_lifetime_s=0.0, pays_once=".*", **OFTEN) is Missing.ASK_A_PERSON


def test_a_step_that_moves_no_money_may_be_believed_to_be_absent_there():
    assert follows(Operation.AUTHENTICATE, key_lifetime_s=0.0, **OFTEN) is Missing.ABSENT


def test_a_key_is_as_old_as_it_is_when_it_is_decided_on_and_not_as_when_it_was_read():
    assert follows(now_s=NOW_S + 489.0) is Missing.SEND_AGAIN
    assert follows(now_s=NOW_S + 491.0) is Missing.ASK_AGAIN


def test_a_call_that_seems_to_have_been_sent_in_the_future_is_not_repeated():
    assert follows(sent_at_s=NOW_S + 1.0) is Missing.ASK_AGAIN


def test_an_absence_lasts_until_the_look_up_was_made_and_not_until_its_answer_was_read():
    early = LONG_AGO | {"not_found_count": 2, "first_not_found_at_s": NOW_S - 30.0}
    assert follows(**early, asked_at_s=NOW_S, now_s=NOW_S + 600.0) is Missing.ASK_AGAIN
    assert follows(**early, asked_at_s=NOW_S + 90.0, now_s=NOW_S + 600.0) is Missing.ABSENT


def test_what_its_payer_has_paid_is_repeated_as_long_as_it_is_asked_about_and_never_absent():
    assert follows(payer_has_paid=True, sends=MAX_SENDS) is Missing.SEND_AGAIN
    assert follows(payer_has_paid=True, **LONG_AGO, **OFTEN) is Missing.ASK_AGAIN


def test_what_its_payer_has_paid_is_absent_once_nobody_wants_it_any_more():
    assert follows(payer_has_paid=True, may_repeat=False, sends=MAX_SENDS) is Missing.ASK_AGAIN
    assert follows(payer_has_paid=True, may_repeat=False, **LONG_AGO, **OFTEN) is Missing.ABSENT


@pytest.mark.parametrize(
    ("sends", "keys_s", "then"),
    [
        (2, 0.0, Missing.ASK_A_PERSON),
        # What was refused at once had no earlier send of ours that could have paid by the token.
        (1, 0.0, Missing.ABSENT),
        (2, 1000.0, Missing.ABSENT),
    ],
)
def test_a_token_that_a_repeat_found_consumed_may_have_paid_by_the_lost_call(sends, keys_s, then):
    token = {"pays_once": ".+", "key_lifetime_s": keys_s}
    assert follows(sends=sends, **CONSUMED, **OFTEN, **token) is then
