"""Disputes at every gateway: its events name them, and its look-up says how they stand."""

from __future__ import annotations

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeLookup, DisputeReport
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Unknown
from aegis_worker.gateways.kit.flows import Recall
from aegis_worker.gateways.requests import DisputeQuery

from ..emulator import eventually
from ..subject import Paid
from ..till import Till


def test_a_dispute_opened(till: Till) -> None:
    paid = till.pay("tok_dispute")
    dispute = _opened(till, paid)
    shown = _asked(till, dispute, paid.charge)
    assert isinstance(shown, DisputeReport)
    assert (shown.gateway_ref, shown.charge_ref) == (dispute, paid.charge)
    assert (shown.status, shown.amount) == (DisputeStatus.NEEDS_RESPONSE, Money(1999, "USD"))
    # Of what a gateway tells by itself, neither is signed.
    assert (shown.reason == "fraudulent") == till.can_be_asked
    assert (shown.respond_by is not None) == till.can_be_asked
    charge = till.ask(paid)
    assert isinstance(charge, Approved)
    assert charge.disputed == till.subject.shows_disputes


def test_a_dispute_under_review(till: Till) -> None:
    assert _ends(till, "under_review") == (DisputeStatus.UNDER_REVIEW, "dispute.updated")


def test_a_dispute_won(till: Till) -> None:
    assert _ends(till, "won") == (DisputeStatus.WON, "dispute.closed")


def test_a_dispute_lost(till: Till) -> None:
    assert _ends(till, "lost") == (DisputeStatus.LOST, "dispute.closed")


def test_a_dispute_that_was_accepted(till: Till) -> None:
    assert _ends(till, "accepted") == (DisputeStatus.ACCEPTED, "dispute.closed")


def test_a_warning(till: Till) -> None:
    paid = till.pay("tok_dispute_warning")
    dispute = _opened(till, paid)
    assert _status(till, dispute, paid) is DisputeStatus.WARNING
    _advance(till, dispute, "closed")
    assert _status(till, dispute, paid) is DisputeStatus.CLOSED


def test_a_warning_that_becomes_a_dispute(till: Till) -> None:
    paid = till.pay("tok_dispute_warning")
    dispute = _opened(till, paid)
    _advance(till, dispute, "needs_response")
    assert _status(till, dispute, paid) is DisputeStatus.NEEDS_RESPONSE


def test_disputes_of_parts(till: Till) -> None:
    paid = till.pay()
    first, second = (_dispute_by_hand(till, paid, minor) for minor in (500, 700))
    sums = [_asked(till, dispute, paid.charge) for dispute in (first, second)]
    assert [shown.amount.minor for shown in sums if isinstance(shown, DisputeReport)] == [500, 700]


def test_another_charges_dispute(till: Till) -> None:
    disputed, other = till.pay("tok_dispute"), till.pay()
    dispute = _opened(till, disputed)
    assert isinstance(_asked(till, dispute, other.charge), Unknown)
    assert isinstance(_asked(till, "dp_nobody", disputed.charge), Unknown)


def _dispute_by_hand(till: Till, paid: Paid, minor: int) -> str:
    """The payer disputes a part; the gateway's id of the dispute."""
    body = {"payment_id": paid.charge, "amount": minor}
    dispute_ref = str(till.emulator.post("/_sandbox/disputes", body).json["id"])
    _wait_for_news(till, dispute_ref, 0)
    return dispute_ref


def _advance(till: Till, dispute_ref: str, status: str) -> None:
    """The dispute goes on at the gateway."""
    known = len(till.news.of(Recall(dispute_ref=dispute_ref)))
    answer = till.emulator.post("/_sandbox/disputes", {"id": dispute_ref, "status": status})
    assert answer.status == 200, answer.body
    _wait_for_news(till, dispute_ref, known)


def _wait_for_news(till: Till, dispute_ref: str, known: int) -> None:
    if not till.can_be_asked:
        till.news.wait_for_more(dispute_ref, known)


def _asked(till: Till, dispute_ref: str, charge_ref: str) -> DisputeLookup:
    """How a dispute stands, as the product asks."""
    return till.gateway.ask_dispute_and_wait(DisputeQuery(dispute_ref, charge_ref))


def _opened(till: Till, paid: Paid) -> str:
    """The dispute that the gateway's first event of one names."""

    def refs() -> list[str]:
        return [
            event.dispute_ref
            for event in till.news.told(paid)
            if event.kind == "dispute.opened" and event.dispute_ref
        ]

    assert eventually(lambda: bool(refs()))
    return refs()[0]


def _status(till: Till, dispute: str, paid: Paid) -> DisputeStatus | None:
    shown = _asked(till, dispute, paid.charge)
    assert isinstance(shown, DisputeReport), shown
    return shown.status


def _ends(till: Till, word: str) -> tuple[DisputeStatus | None, str]:
    """What the gateway shows and tells of a dispute that it puts into this status."""
    paid = till.pay("tok_dispute")
    dispute = _opened(till, paid)
    _advance(till, dispute, word)
    expected = "dispute.updated" if word == "under_review" else "dispute.closed"
    assert eventually(lambda: expected in [event.kind for event in till.news.told(paid)])
    (kind,) = {event.kind for event in till.news.told(paid) if event.kind == expected}
    return _status(till, dispute, paid), kind
