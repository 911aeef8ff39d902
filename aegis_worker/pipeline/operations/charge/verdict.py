"""What the screening of a payment leads to, before anything is sent: its end, a person's review, or a demand. Pure.

The payment's row says what holds, so every worker that takes the job up decides the same, however the job came back to it.
"""

from __future__ import annotations

from msgspec.structs import replace

from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.instruments import as_seen_by
from aegis_worker.domain.payment import failed
from aegis_worker.domain.screening import Action, demands_three_ds, screening_of
from aegis_worker.pipeline.work import Rest, Work

from ..steps import review

# Follows the gateway's name.
CANT_DEMAND = "can't be told to have this payer authenticated by 3-D Secure"


def verdict(work: Work) -> Rest | None:
    """The end or the review of a payment that may not be sent; None where it may, or was never screened.

    Merchants read what is written here, so no rule is named (see `screening.for_merchants`).
    """
    if work.payment.screening is None or (screening := screening_of(work.payment)) is None:
        return None
    if screening.action is Action.BLOCK:
        return _fail("blocked", "blocked before it was sent to a gateway")
    if screening.action is Action.REVIEW:
        return review(
            work, "held back before it was sent: a person has to approve or reject it", kind="fraud"
        )
    if screening.three_ds and work.payment.terms.off_session:
        return _fail(
            "authentication_required", "the payer has to authenticate by 3-D Secure, and is not there"
        )
    return None


def as_demanded(work: Work) -> Work:
    """The work with those gateways alone that can be told to have the payer authenticated, where that is demanded."""
    if work.payment.screening is None or not demands_three_ds(work.payment):
        return work
    decision, terms = work.route.decision, work.payment.terms
    out = {
        name: CANT_DEMAND
        for name in decision.candidates
        if not work.route.capabilities[name].demands_three_ds(
            as_seen_by(terms.payment_method, name), terms.amount.currency
        )
    }
    return replace(work, route=replace(work.route, decision=decision.without_all(out))) if out else work


def nobody_can_demand(work: Work) -> bool:
    """Whether gateways take the payment, and it goes to none of them for want of 3-D Secure alone."""
    decision = work.route.decision
    return not decision.candidates and not decision.back_in_s and CANT_DEMAND in decision.left_out.values()


def _fail(code: str, message: str) -> Rest:
    error = describe_error(code, gateway=None, gateway_code=None, message=message)
    return Rest(JobChange("failed", reason=code), failed(error))
