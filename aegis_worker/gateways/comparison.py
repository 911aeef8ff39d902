"""Compares what we record of a payment at rest with what the gateways say about each of its charges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from aegis_worker.domain.charges import StandingCharge, may_be_invisible, other_sums
from aegis_worker.domain.disputes import StandingDispute
from aegis_worker.domain.entities import Entity, EntityStatus
from aegis_worker.domain.exchanges import Noting
from aegis_worker.domain.gateway_keys import attempt_named_by
from aegis_worker.domain.movements import news_of
from aegis_worker.domain.outcomes import Approved, Declined, Lookup, NotFound, Operation, Unknown, UnknownKind
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.transitions import State
from aegis_worker.domain.twins import is_of_another, of_known

from .accounts import out_of_reach
from .base import PaymentGateway
from .discretion import discreet
from .dispute_comparison import compared_dispute
from .requests import StatusQuery

# Answers that settle nothing: no answer at all, and one from before the gateway's look-ups show its charges.
_UNSETTLED = frozenset({Unknown.__name__, "TooEarly"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """`gateways`: for each charge and dispute `gateway, key, says`, where `says` is the name of the answer's type.

    If the answer differs from our record, also `expected` and `found`, in words with amounts.
    """

    payment_id: str
    state: State
    gateways: Sequence[Mapping[str, str]]

    @property
    def is_answered(self) -> bool:
        """Whether the answers settle the comparison: all of them do, or one differs from our record."""
        return self.differs or all(answer["says"] not in _UNSETTLED for answer in self.gateways)

    @property
    def differs(self) -> bool:
        """Whether a gateway differs from our record: it must show the charge that the payment stands on, and no other."""
        return any("found" in answer for answer in self.gateways)

    @property
    def is_charged_too_often(self) -> bool:
        """Whether there is a charge other than the one that the payment stands on."""
        return any(answer.get("expected") == _NO_CHARGE for answer in self.gateways)

    @property
    def has_news(self) -> bool:
        """Whether a gateway shows of the payment's own charge what a `sync` writes down."""
        return any(answer.get("expected") == _NOTHING_ELSE for answer in self.gateways)

    @property
    def in_words(self) -> str:
        """For example `a: expected no charge, found 1999 USD captured`, for each charge that differs."""
        return "; ".join(
            f"{answer['gateway']}: expected {answer['expected']}, found {answer['found']}"
            for answer in self.gateways
            if "found" in answer
        )


_NO_CHARGE, _NOTHING_ELSE = "no charge", "nothing but what is recorded"


def compare(
    gateways: Mapping[str, PaymentGateway],
    payment: Payment,
    charges: Sequence[StandingCharge],
    entities: Sequence[Entity],
    disputes: Sequence[StandingDispute] = (),
    noting: Noting = lambda operation, number: None,
) -> Comparison:
    """Ask about every charge that may stand, what was done with the payment's own, and every dispute that we know.

    Changes nothing. Takes as long as the gateways take to answer. `noting`: what the exchanges are told to.
    """
    is_known = bool(disputes)
    answers = [
        _compared(gateways.get(one.gateway), payment, one, entities, noting, knows_disputes=is_known)
        for one in charges
    ]
    answers += [compared_dispute(gateways.get(one.charge.gateway), one, noting) for one in disputes]
    return Comparison(payment.id, payment.state, answers)


def _compared(
    gateway: PaymentGateway | None,
    payment: Payment,
    charge: StandingCharge,
    entities: Sequence[Entity],
    noting: Noting,
    *,
    knows_disputes: bool,
) -> dict[str, str]:
    answer = {"gateway": charge.gateway, "key": charge.key}
    config = None if gateway is None else gateway.config
    if gateway is None or out_of_reach(charge.gateway, config, charge.account, payment.mode):
        return answer | {"says": Unknown.__name__}
    capture = payment.terms.capture_method == "automatic"
    query = StatusQuery(Operation.PROCESS, charge.key, charge.gateway_ref, payment.amount, capture=capture)
    query = replace(query, movements=charge.is_own)
    named = attempt_named_by(charge.key)
    outcome = discreet(gateway.ask_and_wait(query, None if named is None else noting(*named)))
    able = gateway.capabilities
    if charge.is_own and is_of_another(outcome, charge.gateway_ref):
        if able.tells_by_events_alone:
            return answer | _of_another(outcome)
        outcome = of_known(outcome, charge.gateway_ref)
    window_s = able.absence_window_s
    if charge.is_own and may_be_invisible(outcome, charge.sent_ago_s, window_s):
        return answer | {"says": "TooEarly"}
    news = _news(payment, charge, outcome, entities)
    if isinstance(outcome, Approved) and outcome.disputed and not knows_disputes:
        news.append("a dispute that no event told of")
    if news:
        answer["says"], answer["expected"] = type(outcome).__name__, _NOTHING_ELSE
        return answer | {"found": ", ".join(news)}
    differing = _differing(payment, charge, outcome)
    if differing is None:
        return answer | {"says": type(outcome).__name__}
    expected, found = differing
    mismatched = isinstance(outcome, Unknown)
    says = outcome.kind.value if mismatched else type(outcome).__name__  # type: ignore[union-attr]
    return answer | {"says": says, "expected": expected, "found": found}


def _of_another(outcome: Lookup) -> dict[str, str]:
    """Nothing is said of the payment's own charge; the other is one too many where it stands."""
    if not isinstance(outcome, Approved) or outcome.given_back:
        return {"says": Unknown.__name__}
    return {"says": Approved.__name__, "expected": _NO_CHARGE, "found": _in_words(outcome)}


def _news(payment: Payment, charge: StandingCharge, outcome: Lookup, entities: Sequence[Entity]) -> list[str]:
    """What the gateway shows of the payment's own charge and we don't know, in words."""
    if not charge.is_own or not isinstance(outcome, Approved | Declined):
        return []
    news = news_of(payment, entities, outcome, lambda kind, name: f"a {kind} of the gateway's own")
    found = [
        f"{change.order.id} over {change.order.amount_minor} that {change.status}"
        for change in news.changes
        if change.status is not EntityStatus.PENDING or change.order.origin == "gateway"
    ]
    return [*found, *([news.problem] if news.problem else ())]


def _differing(payment: Payment, charge: StandingCharge, outcome: Lookup) -> tuple[str, str] | None:
    ours = f"a charge of {payment.amount.minor} {payment.amount.currency}"
    if isinstance(outcome, Unknown):
        if outcome.kind is not UnknownKind.MISMATCH:
            return None
        return ours if charge.is_own else _NO_CHARGE, outcome.shows or outcome.reason
    if not charge.is_own:
        stands = isinstance(outcome, Approved) and not outcome.given_back
        return (_NO_CHARGE, _in_words(outcome)) if stands else None
    if isinstance(outcome, Approved):
        return other_sums(payment, outcome)
    return ours, _in_words(outcome)


def _in_words(outcome: Lookup) -> str:
    match outcome:
        case Approved(gateway_ref=gateway_ref, captured=captured):
            return f"{'a charge' if captured else 'a hold'}, its reference {gateway_ref}"
        case Declined(gateway_code=gateway_code):
            return f"declined: {gateway_code}"
        case NotFound():
            return "nothing"
        case _:
            return type(outcome).__name__
