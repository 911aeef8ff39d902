"""What an operator is told of what an approval leads to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.plain_payment import a_payment
from support.vaulted_cards import vaulted

from aegis_worker.domain.payment import Payment, initiated
from aegis_worker.domain.screening import Action, Finding, Screening, screened, screening_of
from aegis_worker.errors import ResolutionRefused
from aegis_worker.review.case import Case, OpenJob
from aegis_worker.review.decide import approve

ACCEPTED_AT = datetime(2026, 11, 27, 20, 0, tzinfo=UTC)
IN_REVIEW = OpenJob("job_1", "process", "review", 3, "held back", review_kind="fraud")


def screened_payment(**terms: Any) -> Payment:
    payment = a_payment(**terms)
    found = Screening((Finding("rule high-value", Action.REVIEW),))
    return payment.record([initiated(payment), screened(found)])[0]


def approved_after(payment: Payment, minutes: int) -> Any:
    read_at = ACCEPTED_AT + timedelta(minutes=minutes)
    return approve(Case(payment, None, IN_REVIEW, [], read_at=read_at, accepted_at=ACCEPTED_AT))


@pytest.mark.parametrize(
    ("payment", "minutes", "told"),
    [
        (screened_payment(), 600, "goes to a gateway now"),
        (screened_payment(payment_method=vaulted(with_code=True)), 14, "goes to a gateway now"),
        (screened_payment(payment_method=vaulted(with_code=True)), 15, "so it fails unsent"),
        (screened_payment(payment_method=vaulted(with_code=False)), 600, "goes to a gateway now"),
        (
            screened_payment(scheduled_at=ACCEPTED_AT + timedelta(days=1)),
            5,
            "at its time, 2026-11-28 20:00:00",
        ),
        (screened_payment(scheduled_at=ACCEPTED_AT + timedelta(days=1)), 24 * 60, "goes to a gateway now"),
        (screened_payment(customer={"erased": True}), 5, "it ends unsent"),
    ],
)
def test_an_operator_is_told_what_becomes_of_what_they_approve(
    payment: Payment, minutes: int, told: str
) -> None:
    assert told in approved_after(payment, minutes).note


def test_an_approval_is_kept_with_its_time() -> None:
    decided = approved_after(screened_payment(), 30)
    payment, _ = screened_payment().record(decided.facts)
    screening = screening_of(payment)
    assert screening is not None
    assert (screening.approved, screening.action, screening.found) == (True, Action.ALLOW, Action.REVIEW)
    assert screening.approved_at_s == (ACCEPTED_AT + timedelta(minutes=30)).timestamp()


def test_what_was_never_screened_is_not_approved() -> None:
    with pytest.raises(ResolutionRefused, match="nothing says why"):
        approved_after(replace(screened_payment(), screening=None), 5)
