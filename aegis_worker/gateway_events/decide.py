"""What a gateway's event leads to: the gateway is asked, or nothing is. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from aegis_worker.domain.disputes import Dispute, DisputeReport, KnownDispute, may_follow, moved, opened
from aegis_worker.domain.entities import UNSETTLED
from aegis_worker.domain.gateway_events import ClaimedEvent, Followed, Matched
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.transitions import State

_AFTER_THE_CHARGE = frozenset({State.AUTHORIZED, State.SUCCESS})
# What an event of a capture or refund tells, and how that may stand for it to be no news.
_KNOWN_OF_ORDERS = {
    "pending": frozenset({"pending", "succeeded", "failed"}),
    "succeeded": frozenset({"succeeded"}),
    "failed": frozenset({"failed"}),
}
# If our attempt ended in one of these, we know the end already. Then we ask nothing, unless the event shows other money.
_ENDS = frozenset({"APPROVED", "DECLINED"})
_NO_NEWS: dict[str, frozenset[str]] = {
    "payment.created": _ENDS,
    "payment.requires_action": _ENDS,
    "payment.authenticated": _ENDS,
    "payment.pending": _ENDS,
    "payment.authorized": frozenset({"APPROVED"}),
    "payment.succeeded": frozenset({"APPROVED"}),
    "payment.failed": frozenset({"DECLINED"}),
}
# An early event is late by moments, so its payment is looked for soon, and then ever more rarely.
_FIRST_AGAIN_S, _LONGEST_AGAIN_S = 2.0, 1800.0


def decide(event: ClaimedEvent, matched: Matched | None, mode: Mode | None) -> Followed:
    """What becomes of the event. Whoever carries it out has the gateway asked if it is `followed`.

    `mode`: that of the gateway's table, which its event was held to when it came; None for a gateway without a table. An
    event never counts for a payment of the other mode, so it is not kept as one of that payment.
    """
    if matched is not None and mode not in (None, matched.mode):
        return Followed(event, "no_news", f"its payment is of the mode {matched.mode}")
    if matched is None or not matched.has_attempts:
        why = "it names no payment of ours" if matched is None else "nothing was sent for its payment yet"
        payment_id = None if matched is None else matched.payment_id
        if event.is_over:
            return Followed(event, "unmatched", why, payment_id)
        return Followed(event, "waiting", why, payment_id, again_in_s=_again_in_s(event.tries))
    if matched.number is None:
        why = "nothing like it was sent to this gateway with this account"
        return Followed(event, "no_news", why, matched.payment_id)
    if _is_known(event, matched):
        return Followed(event, "no_news", "it tells what is known", matched.payment_id)
    return Followed(event, "followed", payment_id=matched.payment_id)


Asked = Literal["order", "settled", "charged", "given_up", "open"]
"""What is asked because of an event: the `order` that it names; the refunds that wait until the charge is `settled`; what
was done with the payment's charge since, if that is `charged`; a charge that may be `given_up`; or the `open` job's call.
"""


def asked(event: ClaimedEvent, matched: Matched) -> Asked:
    """What is asked because of an event that is followed."""
    if matched.order is not None and matched.order_status in UNSETTLED:
        return "order"  # Its own job asks about it.
    if event.kind == "payment.settled":
        return "settled"
    if matched.state in _AFTER_THE_CHARGE:
        return "charged"
    # The payment's job asks only about the charge that it works on, or, as the rest of a cancel, about none. A charge that
    # was given up needs a recheck.
    return "open" if matched.number is None else "given_up"


def is_of_given_up(matched: Matched) -> bool:
    """Whether the event is of a charge that was given up as refused or absent, whatever its payment stands on."""
    return matched.charge in ("DECLINED", "NOT_SENT")


class Unbelieved(Struct, frozen=True):
    """What a gateway said of a dispute is not written down. Asking again may tell something else."""

    reason: str


def after_answer(event: ClaimedEvent, payment_id: str, unbelieved: Unbelieved | None) -> Followed:
    """What becomes of an event about a dispute: it is followed, unless what its gateway said is not believed."""
    if unbelieved is None:
        return Followed(event, "followed", None, payment_id)
    if event.is_over:
        return Followed(event, "unmatched", unbelieved.reason, payment_id)
    again_in_s = _again_in_s(event.tries)
    return Followed(event, "waiting", unbelieved.reason, payment_id, again_in_s=again_in_s)


def heard(
    payment: Payment,
    known: KnownDispute | None,
    gateway: str,
    shown: DisputeReport,
    asked_at: datetime,
    new_id: str,
) -> tuple[Dispute, list[Fact]] | Unbelieved:
    """The dispute after what its gateway shows, and the facts to tell; or why that is not believed.

    An answer that was asked for before what we know was asked for undoes nothing (design D15). Asking again may help.
    """
    if known is None:
        return opened(payment, gateway, shown, new_id)
    dispute = known.dispute
    if dispute.payment_id != payment.id:
        return Unbelieved(f"{shown.gateway_ref} is a dispute of {dispute.payment_id}")
    if asked_at < known.asked_at and moved(dispute, shown)[1]:
        return Unbelieved("something newer is known of it")
    if not may_follow(dispute, shown):
        return Unbelieved(f"it shows {shown.gateway_status}, which can't follow {dispute.status}")
    return moved(dispute, shown)


def _is_known(event: ClaimedEvent, matched: Matched) -> bool:
    if matched.order is not None:
        told = _KNOWN_OF_ORDERS.get(event.kind.partition(".")[2], frozenset())
        return matched.order_status in told
    is_capture = event.kind == "payment.succeeded" and matched.state == State.AUTHORIZED
    if is_capture:
        return False  # what was held is captured
    is_its_money = event.amount in (None, matched.amount)
    # A second charge under one reference is news, if its gateway calls it otherwise.
    is_itself = event.gateway_ref is None or matched.charge_ref in (None, event.gateway_ref)
    return is_its_money and is_itself and matched.charge in _NO_NEWS.get(event.kind, ())


def behind_a_job(event: ClaimedEvent, matched: Matched) -> Followed:
    """The event waits for a job of its payment that is open: it asks about something else, or may have asked already."""
    why = "a job of its payment is open"
    return Followed(event, "waiting", why, matched.payment_id, again_in_s=_again_in_s(event.tries))


def _again_in_s(tries: int) -> float:
    return float(min(_FIRST_AGAIN_S * 2 ** min(tries - 1, 20), _LONGEST_AGAIN_S))
