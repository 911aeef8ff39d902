"""What may break while payments are under way: a worker, a message, Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from installation import LEASE_S, SOON_S, Installation, wait_until

from aegis_worker.embedded.valkey import EmbeddedValkey

_QUEUE = "payments"


@pytest.fixture
def broker(valkey: EmbeddedValkey, running: Installation) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url) as client:
        yield client


def test_a_killed_workers_payment_is_finished_by_another(running: Installation) -> None:
    payment_id = running.accepted("tok_latency_1800")
    wait_until(lambda: [attempt["status"] for attempt in running.attempts(payment_id)] == ["SENT"], SOON_S)
    running.kill_worker()
    payment = running.ended(payment_id, within_s=LEASE_S + 10)
    assert payment["state"] == "SUCCESS"
    # Killed between the attempt's commit and its first byte, the charge is sent again under the same key.
    assert len(payment["attempts"]["data"]) == 1
    assert len(running.charges(payment_id)) == 1


def test_a_payment_whose_message_was_lost_is_found_by_the_sweeper(
    running: Installation, broker: redis.Redis
) -> None:
    with running.without_worker():
        payment_id = running.accepted("tok_visa")
        wait_until(lambda: broker.llen(_QUEUE), SOON_S)
        broker.delete(_QUEUE)
    assert running.ended(payment_id)["state"] == "SUCCESS"
    assert len(running.charges(payment_id)) == 1


def test_a_message_that_comes_twenty_times_charges_once(running: Installation, broker: redis.Redis) -> None:
    with running.without_worker():
        payment_id = running.accepted("tok_latency_500")
        wait_until(lambda: broker.llen(_QUEUE), SOON_S)
        message = broker.lindex(_QUEUE, 0)
        broker.lpush(_QUEUE, *[message] * 19)
    assert running.ended(payment_id)["state"] == "SUCCESS"
    wait_until(lambda: not broker.llen(_QUEUE), SOON_S)
    assert len(running.attempts(payment_id)) == 1
    assert len(running.charges(payment_id)) == 1


def test_with_redis_stopped_a_payment_is_accepted_and_the_relay_makes_it(
    running: Installation, valkey: EmbeddedValkey
) -> None:
    valkey.stop()
    try:
        payment_id = running.accepted("tok_visa")
        relayed = running.aegis("relay", "--once")
        assert running.payment(payment_id)["state"] == "SUCCESS", relayed.stderr
        assert len(running.charges(payment_id)) == 1
    finally:
        valkey.start()
    assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"
