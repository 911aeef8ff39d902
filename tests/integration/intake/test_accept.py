"""Accepting payments: one per key, whole or not at all."""

from __future__ import annotations

import threading

import pytest
from support.payments import (
    a_command,
    accept,
    accept_one,
    job_of,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.transitions import State
from aegis_worker.errors import DuplicateReference, IdempotencyInProgress, IdempotencyKeyReused, NotFound
from aegis_worker.intake import request_sync


def test_accepting_writes_payment_job_event_and_outbox_together(database):
    accepted = accept_one(database)
    assert story_of(database, accepted.payment.id) == ["INITIATED"]
    assert job_of(database, accepted.payment.id)["status"] == "queued"
    assert len(rows(database, "SELECT * FROM outbox")) == 1


def test_a_replay_after_the_payment_has_moved_gives_the_original_answer(database):
    first = accept_one(database, metadata={"rate": 1e2, "b": [1]})
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    again = accept_one(database, metadata={"rate": 1e2, "b": [1]})
    assert payment_of(database, first.payment.id).state is State.SUCCESS
    assert (again.payment, again.job_id, again.created_at, again.replayed) == (
        first.payment,
        first.job_id,
        first.created_at,
        True,
    )


def test_the_same_key_with_another_request_is_refused(database):
    accept_one(database)
    with pytest.raises(IdempotencyKeyReused):
        accept_one(database, request_hmac=b"x" * 32)


def test_the_same_key_of_another_merchant_is_another_payment(database):
    accept_one(database)
    assert not accept_one(database, merchant_id="m_2").replayed


def test_a_request_still_being_accepted_is_told_so_instead_of_waiting_for_ever(database):
    held, release = threading.Event(), threading.Event()

    def slow(connection):
        connection.exec_driver_sql(
            "INSERT INTO idempotency_keys (merchant_id, route, key, request_hmac, payment_id, job_id)"
            " VALUES ('m_1', 'POST /v1/payments', 'key-1', '', 'p', 'j')"
        )
        held.set()
        release.wait(20)
        connection.rollback()

    other = threading.Thread(target=lambda: database.run(slow))
    other.start()
    held.wait(10)
    with pytest.raises(IdempotencyInProgress):
        accept_one(database)
    release.set()
    other.join()
    assert not accept_one(database).replayed


def test_a_reference_belongs_to_one_payment_that_has_not_failed(database):
    accept_one(database, "k1", reference="order-1")
    with pytest.raises(DuplicateReference):
        accept_one(database, "k2", reference="order-1")
    assert rows(database, "SELECT key FROM idempotency_keys") == [{"key": "k1"}]
    run_until_quiet(pipeline(database, ScriptedGateway("a", currencies=frozenset({"EUR"}))))
    assert not accept_one(database, "k2", reference="order-1").replayed


def test_sync_brings_the_open_job_forward_and_makes_one_where_none_is_open(database):
    accepted = accept_one(database)
    assert request_sync(database, Owner("m_1", "test"), accepted.payment.id) == accepted.job_id
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    job_id = request_sync(database, Owner("m_1", "test"), accepted.payment.id)
    assert job_id != accepted.job_id
    assert request_sync(database, Owner("m_1", "test"), accepted.payment.id) == job_id


def test_sync_of_another_merchants_payment_is_not_found(database):
    accepted = accept_one(database)
    with pytest.raises(NotFound):
        request_sync(database, Owner("m_2", "test"), accepted.payment.id)


def test_the_answer_is_the_command(database):
    command = a_command(customer={"id": "c_1", "country": "DE"}, description="Books", metadata={"cart": 7})
    payment = accept(command, database).payment
    assert payment_of(database, payment.id) == payment
