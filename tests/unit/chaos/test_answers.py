"""Answers that no gateway gave: another payment's names no id of ours, and whoever reads an exchange sees the mark."""

from __future__ import annotations

import json

from aegis_worker.chaos.answers import error_answer, invalid_answer, other_payments_answer
from aegis_worker.exchange.noting import Noting
from aegis_worker.gateways.kit.flows import HttpAnswer, HttpCall
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter

PAYMENT = "pay_" + "0" * 32
CHARGE = "ch_8d41c7b2"
BODY = {"id": CHARGE, "reference": f"{PAYMENT}-p1", "metadata": {"payment": PAYMENT}, "amount": 1999}
ANSWER = HttpAnswer(200, {"Content-Type": "application/json"}, json.dumps(BODY).encode())


def test_another_payments_answer_is_whole_and_names_nothing_of_ours() -> None:
    other = other_payments_answer(ANSWER, [CHARGE])
    assert other is not None
    body = json.loads(other.body)
    assert PAYMENT not in other.body.decode()
    assert CHARGE not in other.body.decode()
    assert body["reference"] == f"{body['metadata']['payment']}-p1", "the same other payment everywhere"
    assert (body["amount"], len(body["id"]), len(other.body)) == (1999, len(CHARGE), len(ANSWER.body))


def test_it_is_the_same_each_time_and_another_for_another_payment() -> None:
    assert other_payments_answer(ANSWER, [CHARGE]) == other_payments_answer(ANSWER, [CHARGE])
    of_another = HttpAnswer(200, {}, ANSWER.body.replace(b"0" * 32, b"1" * 32))
    other, third = other_payments_answer(ANSWER, []), other_payments_answer(of_another, [])
    assert other is not None
    assert third is not None
    assert other.body != third.body


def test_an_answer_that_names_no_payment_can_be_nobody_elses() -> None:
    assert other_payments_answer(HttpAnswer(200, {}, b'{"token": "abc"}'), ["", CHARGE]) is None


def test_a_broken_off_answer_is_the_first_half_of_the_real_one() -> None:
    broken = invalid_answer(ANSWER)
    assert ANSWER.body.startswith(broken.body)
    assert 0 < len(broken.body) < len(ANSWER.body)


def test_an_error_says_when_to_come_back_where_it_is_told_to() -> None:
    assert error_answer(429, 7).retry_after_s() == 7
    assert error_answer(503, None).retry_after_s() is None


def test_whoever_reads_the_exchange_sees_that_it_was_injected() -> None:
    call, noting = HttpCall("POST", "/v1/charges"), Noting(SandboxAdapter.allow_list)
    other = other_payments_answer(ANSWER, [])
    assert other is not None
    for answer in (error_answer(503, None), invalid_answer(ANSWER), other):
        assert "Aegis-Injected" in noting.noted(call, answer, 0.0, 1.0).told
    assert "Aegis-Injected" not in noting.noted(call, ANSWER, 0.0, 1.0).told
