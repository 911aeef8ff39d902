"""Steps that several decisions end in: ask about an attempt, hand the job to a person, end it."""

from __future__ import annotations

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.charges import hop_reference
from aegis_worker.domain.entities import order_in
from aegis_worker.domain.gateway_keys import is_ordered
from aegis_worker.domain.outcomes import CHARGING_STEPS
from aegis_worker.domain.payment import Fact
from aegis_worker.domain.reviews import ReviewKind
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.gateways.accounts import out_of_reach
from aegis_worker.gateways.requests import StatusQuery

from ..work import Ask, Rest, Work


def ask(work: Work, position: int = -1, *, movements: bool = False, twins: bool = False) -> Ask:
    """The look-up for an attempt: by the gateway's id where any step of the hop returned one, else by our reference.

    `movements`: also for what was done with the charge since. `twins`: also for what else carries our reference.
    """
    attempt = work.attempts[position]
    own_ref = None if attempt.operation in CHARGING_STEPS else attempt.gateway_ref
    order = order_in(work.job.request)
    if order is not None and is_ordered(attempt.number):
        reference, amount = work.payment.gateway_ref, order.money(work.payment.amount.currency)
    else:
        reference, amount = hop_reference(work.attempts, attempt), work.payment.amount
    query = StatusQuery(
        attempt.operation,
        attempt.gateway_key,
        reference,
        amount,
        own_ref,
        movements,
        capture=work.payment.terms.capture_method == "automatic",
        twins=twins,
    )
    return Ask(query, position)


def unreachable_because(work: Work, attempt: Attempt) -> str | None:
    """Why nothing may be asked or sent about the attempt now; None where it may."""
    config = work.route.gateways.get(attempt.gateway)
    return out_of_reach(attempt.gateway, config, attempt.account, work.payment.mode)


def review(work: Work, reason: str, *, kind: ReviewKind = "doubt") -> Rest:
    """Hand the job to a person, with the reason."""
    fact = Fact(EventType.REVIEW_REQUIRED, {"reason": reason, "kind": kind})
    return Rest(JobChange("review", reason=reason, review_kind=kind), [fact])


def ended(work: Work) -> JobChange:
    """The job's end, from the payment's."""
    done = work.payment.state in (State.SUCCESS, State.AUTHORIZED)
    return JobChange("succeeded" if done else "failed")
