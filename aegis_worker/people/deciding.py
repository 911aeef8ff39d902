"""A person's decision about a payment, under the rule of two people: the door to `review.resolve` for all who decide."""

from __future__ import annotations

from dataclasses import asdict

from aegis_worker.domain.approvals import takes_two
from aegis_worker.review.parts import Resolution, Resolved
from aegis_worker.review.resolve import checked, resolve

from .asking import ask
from .parts import Approval, TwoPersonParts

# They end nothing: a gateway is asked, or what was decided before is taken back.
_ALONE = frozenset({"ask_again", "withdraw"})


def decide(
    parts: TwoPersonParts,
    payment_id: str,
    resolution: Resolution,
    *,
    actor: str,
    expected_version: int | None = None,
) -> Resolved | Approval:
    """Carry a decision out, or, where the payment's amount needs a second person, have it wait for one.

    Raises as `review.resolve.resolve` does, and TooManyWaiting. A gateway is asked only once it is carried out.
    """
    if parts.above is not None and resolution.kind not in _ALONE:
        resolution, case = checked(parts.review, payment_id, resolution, expected_version)
        amount = case.payment.amount
        if takes_two(parts.above, amount.currency, amount.minor):
            return ask(parts, "resolution", case.payment, asdict(resolution), amount.minor, actor=actor)
    return resolve(parts.review, payment_id, resolution, actor=actor, expected_version=expected_version)
