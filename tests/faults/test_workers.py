"""Workers that are killed, stopped or too many: what they had begun is finished by another."""

from __future__ import annotations

import pytest
from installation import LEASE_S, SOON_S, Installation, wait_until


@pytest.mark.row(25)
def test_a_killed_workers_payment_is_finished_by_another(running: Installation) -> None:
    payment_id = running.accepted("tok_latency_1800")
    wait_until(lambda: [attempt["status"] for attempt in running.attempts(payment_id)] == ["SENT"], SOON_S)
    running.kill_worker()
    payment = running.ended(payment_id, within_s=LEASE_S + SOON_S)
    assert payment["state"] == "SUCCESS"
    # Killed between the attempt's commit and its first byte, the charge is sent again under the same key.
    assert len(payment["attempts"]["data"]) == 1
