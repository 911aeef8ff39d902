"""Compares a dispute as we know it with what its gateway shows."""

from __future__ import annotations

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import StandingDispute
from aegis_worker.domain.exchanges import Noting
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Unknown

from .accounts import out_of_reach
from .base import PaymentGateway
from .discretion import discreet_dispute
from .requests import DisputeQuery


def compared_dispute(
    gateway: PaymentGateway | None, dispute: StandingDispute, noting: Noting
) -> dict[str, str]:
    """What the gateway says, as an answer of `comparison.Comparison.gateways`."""
    charge = dispute.charge
    answer = {"gateway": charge.gateway, "key": charge.dispute_ref}
    config = None if gateway is None else gateway.config
    if gateway is None or out_of_reach(charge.gateway, config, charge.account, charge.mode):
        return answer | {"says": Unknown.__name__}
    query = DisputeQuery(charge.dispute_ref, charge.charge_ref)
    shown = discreet_dispute(gateway.ask_dispute_and_wait(query, noting("dispute", 0)))
    if isinstance(shown, Unknown):
        return answer | {"says": Unknown.__name__}
    ours, theirs = _in_words(dispute.status, dispute.amount), _in_words(shown.status, shown.amount)
    if shown.status is None or ours == theirs:
        return answer | {"says": shown.gateway_status}
    return answer | {"says": shown.gateway_status, "expected": ours, "found": theirs}


def _in_words(status: DisputeStatus | None, amount: Money) -> str:
    return f"a dispute of {amount.minor} {amount.currency} that is {status}"
