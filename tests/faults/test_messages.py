"""Messages that get lost, come often or come from a stranger: a hint carries no facts, so nothing depends on one."""

from __future__ import annotations

import pytest
from installation import SOON_S, Installation, wait_until

_QUEUE = "payments"


@pytest.mark.row(9)
def test_a_message_that_comes_twenty_times_charges_once(running: Installation) -> None:
    with running.without_worker(), running.redis() as broker:
        payment_id = running.accepted("tok_latency_500")
        wait_until(lambda: broker.llen(_QUEUE), SOON_S)
        message = broker.lindex(_QUEUE, 0)
        broker.lpush(_QUEUE, *[message] * 19)
    assert running.ended(payment_id)["state"] == "SUCCESS"
    with running.redis() as broker:
        wait_until(lambda: not broker.llen(_QUEUE), SOON_S)
    assert len(running.attempts(payment_id)) == 1


@pytest.mark.row(10)
def test_a_payment_whose_message_was_lost_is_found_by_the_sweeper(running: Installation) -> None:
    with running.without_worker(), running.redis() as broker:
        payment_id = running.accepted("tok_visa")
        wait_until(lambda: broker.llen(_QUEUE), SOON_S)
        broker.delete(_QUEUE)
    assert running.ended(payment_id)["state"] == "SUCCESS"
