"""Card networks' limits on trying a declined card again: when they are looked at, and what is then not tried. Pure.

Looked at before every hop of a card payment that names its network, and of one that was declined before: of both only what
is remembered can say whether the card may be tried. The first hop of a payment without a network is not held up for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from aegis_worker.domain.card_networks import Barred, CardDecline, card_key, counts_for_caps
from aegis_worker.domain.cards import is_vaulted
from aegis_worker.domain.changes import AnswerAttempt, Change, JobChange
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.instruments import name_of_card, names_of_card
from aegis_worker.domain.outcomes import CHARGING_STEPS
from aegis_worker.domain.payment import Payment, failed
from aegis_worker.domain.transitions import State

from .operations.room import Room
from .work import Rest, Send, Settled, Step, Work

_SETTLED = frozenset({State.AUTHORIZED, State.SUCCESS, State.FAILURE, State.CANCELLED})


def card_decline(change: Change) -> CardDecline | None:
    """What has to be remembered of a change: a decline that the card's network counts, or that forbids another try."""
    return _decline(change.payment, change.answered) if change.answered is not None else None


def decline_in(payment: Payment, settled: Settled | None) -> CardDecline | None:
    """The decline that an answer brings, before it is written."""
    return _decline(payment, settled.answered) if settled is not None else None


def card_to_look_at(room: Room, work: Work, step: Step | None) -> tuple[bytes, ...]:
    """The keys of the card that the step would try and that may be barred, one for each of its names; () where there is
    none.
    """
    if not room.tries_cards or not isinstance(step, Send) or not _is_card(work.payment):
        return ()
    if step.opened.operation not in CHARGING_STEPS or any(
        attempt.number == step.opened.number for attempt in work.attempts
    ):
        return ()  # a later step of a hop that was begun
    names_network = "network" in work.payment.payment_method
    if names_network or any(attempt.status == "DECLINED" for attempt in work.attempts):
        return tuple(
            card_key(work.payment.merchant_id, name) for name in names_of_card(work.payment.payment_method)
        )
    return ()


def given_up(work: Work, barred: Barred) -> Rest:
    """The payment's end where its card must not be tried again."""
    message = barred.because
    latest = work.latest
    if latest is not None and latest.status == "DECLINED":
        message += f"; the last try was declined by {latest.gateway} with {latest.outcome.code}"
    error = describe_error(barred.code, gateway=None, gateway_code=None, message=message)
    return Rest(JobChange("failed", reason=barred.code), failed(error))


def settled_cards(changes: Iterable[Change]) -> list[str]:
    """The tokens of cards in the vault whose payments, by these changes, need them no more: approved, or at an end."""
    return [
        change.payment.payment_method["token"]
        for change in changes
        if change.events and change.payment.state in _SETTLED and is_vaulted(change.payment.payment_method)
    ]


def _decline(payment: Payment, answered: AnswerAttempt) -> CardDecline | None:
    if answered.status != "DECLINED" or answered.operation not in CHARGING_STEPS or not _is_card(payment):
        return None
    network, code = payment.payment_method.get("network"), answered.outcome.code
    name = name_of_card(payment.payment_method, answered.gateway)
    if name is None or code is None or not counts_for_caps(network, code):
        return None
    key = card_key(payment.merchant_id, name)
    return CardDecline(payment.id, answered.number, payment.merchant_id, key, network, code)


def _is_card(payment: Payment) -> bool:
    return bool(payment.payment_method["type"] == "card")
