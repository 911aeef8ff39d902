"""Card networks' limits on trying a declined card again: what is remembered of a decline."""

from __future__ import annotations

from aegis_worker.domain.card_networks import card_key, counts_for_caps
from aegis_worker.domain.payment import Payment
from aegis_worker.persistence.card_declines import CardDecline
from aegis_worker.persistence.record import Change

from .work import CHARGING_STEPS


def card_decline(change: Change) -> CardDecline | None:
    """What has to be remembered of a change: a decline that the card's network counts, or that forbids another try."""
    answered, payment = change.answered, change.payment
    if answered is None or answered.status != "DECLINED" or answered.operation not in CHARGING_STEPS:
        return None
    network, code = payment.payment_method.get("network"), answered.outcome.get("code")
    if code is None or not _is_card(payment) or not counts_for_caps(network, code):
        return None
    return CardDecline(payment.id, answered.number, payment.merchant_id, _key(payment), network, code)


def _is_card(payment: Payment) -> bool:
    return bool(payment.payment_method["type"] == "card")


def _key(payment: Payment) -> bytes:
    return card_key(payment.merchant_id, payment.payment_method["token"])
