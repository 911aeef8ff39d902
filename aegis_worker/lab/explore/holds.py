"""What is due about funds that are held, as `persistence.hold_rows` and `record.sql` have it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aegis_worker.domain.holds import WARNED_BEFORE, Look, look_at
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.transitions import State

from .setups import EPOCH_S


def hold_due(payment: Payment, due_at: float | None, now: float) -> float | None:
    """When something is due about what the payment holds, once its row is written; `due_at`: until then."""
    if payment.state is not State.AUTHORIZED:
        return None
    if due_at is not None or payment.capture_before is None:
        return due_at
    ends_at = datetime.fromisoformat(payment.capture_before).timestamp() - EPOCH_S
    return max(ends_at - max(WARNED_BEFORE).total_seconds(), now)


def look_of(payment: Payment, release_before_s: float) -> tuple[Look, float]:
    """What is due now about what is held, and after how many seconds the next thing is."""
    now = datetime.fromtimestamp(EPOCH_S, UTC)
    ends_at = datetime.fromisoformat(payment.capture_before or "")
    look = look_at(now, ends_at, timedelta(seconds=release_before_s))
    return look, (look.next_at - now).total_seconds()
