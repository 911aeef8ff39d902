"""Card networks' limits on trying a declined card again: what is remembered of a decline, and what is then not tried.

Asked before every hop of a card payment that names its network, and of one that was declined before: of both only what is
remembered can say whether the card may be tried. The first hop of a payment without a network is not held up for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from aegis_worker.domain.card_networks import Barred, card_key, card_verdict, counts_for_caps
from aegis_worker.domain.changes import AnswerAttempt, Change, JobChange
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.payment import Payment, failed
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.persistence.card_declines import CardDecline, declined_lately
from aegis_worker.persistence.database import Database

from .admission import Decided
from .work import CHARGING_STEPS, Rest, Send, Step, Work

log = structlog.get_logger(__name__)


def card_decline(change: Change) -> CardDecline | None:
    """What has to be remembered of a change: a decline that the card's network counts, or that forbids another try."""
    return _decline(change.payment, change.answered) if change.answered is not None else None


def within_limits(database: Database, decided: Sequence[Decided]) -> list[Decided]:
    """What was decided, with an end in place of each hop that would try a card which must not be tried now.

    Where PostgreSQL does not tell, the card is tried: a try too many costs a fee, a payment given up costs the sale.
    """
    standing = list(decided)
    tries = [place for place, (work, _, step) in enumerate(standing) if _is_hop_to_ask_about(work, step)]
    if not tries:
        return standing
    cards = {place: _key(standing[place][0].payment) for place in tries}
    try:
        histories = database.run(lambda connection: declined_lately(connection, set(cards.values())))
    except DatabaseUnavailable as error:
        log.warning("cards tried without a look at their declines", payments=len(tries), error=str(error))
        return standing
    # Declines that are recorded in the same commit as what is decided here.
    for work, settled, _ in standing:
        decline = _decline(work.payment, settled.answered) if settled is not None else None
        if decline is not None and decline.card_key in histories:
            histories[decline.card_key] = histories[decline.card_key].after(decline.code)
    for place, key in cards.items():
        work, settled, _ = standing[place]
        barred = card_verdict(work.payment.payment_method.get("network"), histories[key])
        if barred is not None:
            standing[place] = work, settled, _given_up(work, barred)
    return standing


def _is_hop_to_ask_about(work: Work, step: Step) -> bool:
    if (
        not isinstance(step, Send)
        or step.opened.operation not in CHARGING_STEPS
        or not _is_card(work.payment)
    ):
        return False
    if any(attempt.number == step.opened.number for attempt in work.attempts):
        return False  # a later step of a hop that was begun
    names_network = "network" in work.payment.payment_method
    return names_network or any(attempt.status == "DECLINED" for attempt in work.attempts)


def _given_up(work: Work, barred: Barred) -> Rest:
    message = barred.because
    latest = work.latest
    if latest is not None and latest.status == "DECLINED":
        message += (
            f"; the last try was declined by {latest.gateway} with {(latest.outcome or {}).get('code')}"
        )
    error = describe_error(barred.code, gateway=None, gateway_code=None, message=message)
    return Rest(JobChange("failed", reason=barred.code), failed(error))


def _decline(payment: Payment, answered: AnswerAttempt) -> CardDecline | None:
    if answered.status != "DECLINED" or answered.operation not in CHARGING_STEPS or not _is_card(payment):
        return None
    network, code = payment.payment_method.get("network"), answered.outcome.get("code")
    if code is None or not counts_for_caps(network, code):
        return None
    return CardDecline(payment.id, answered.number, payment.merchant_id, _key(payment), network, code)


def _is_card(payment: Payment) -> bool:
    return bool(payment.payment_method["type"] == "card")


def _key(payment: Payment) -> bytes:
    return card_key(payment.merchant_id, payment.payment_method["token"])
