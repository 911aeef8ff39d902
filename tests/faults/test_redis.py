"""Redis stopped, frozen, emptied, full or out of reach: it costs time and no payment."""

from __future__ import annotations

import pytest
from installation import Installation

from aegis_worker.embedded.valkey import EmbeddedValkey


@pytest.mark.row(6)
def test_with_redis_stopped_a_payment_is_accepted_and_the_relay_makes_it(
    running: Installation, valkey: EmbeddedValkey
) -> None:
    valkey.stop()
    try:
        payment_id = running.accepted("tok_visa")
        relayed = running.aegis("relay", "--once")
        assert running.payment(payment_id)["state"] == "SUCCESS", relayed.stderr
    finally:
        valkey.start()
    assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"
