"""What gateways answered about the charges that a person decides on, and how far it confirms the decision. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.charges import not_to_be_adopted
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    Pending,
    Unknown,
    UnknownKind,
)

from .case import Case, Kind

Checked = Literal["confirmed", "not_found", "too_early", "unanswered", "nothing_sent"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a gateway answered about one charge. `asked_for`: the gateway's id that a person named, where that was asked.

    `is_proof`: whether an answer to that says by itself whose charge it is. `sent_ago_s`: how long before it was asked the
    charge was sent, at least; `absent_after_s`: how long after a call its gateway may still not show it.
    """

    call: Attempt
    outcome: Lookup
    asked_for: str | None = None
    is_proof: bool = True
    sent_ago_s: float = 0.0
    absent_after_s: float = 0.0

    @property
    def in_words(self) -> str:
        """`Approved, its reference ch_1`."""
        words = self._outcome_in_words()
        return words if self.asked_for is None else f"of {self.asked_for}: {words}"

    def _outcome_in_words(self) -> str:
        match self.outcome:
            case Approved(gateway_ref=reference) if self.outcome.given_back:
                return f"Approved, its reference {reference}, and given back since"
            case Approved(gateway_ref=reference, captured=captured):
                return f"Approved{'' if captured else ', not captured'}, its reference {reference}"
            case Declined(code=code, gateway_code=gateway_code):
                return f"Declined: {code} ({gateway_code})"
            case Pending(reason=reason) | Unknown(reason=reason):
                return f"{type(self.outcome).__name__}: {reason}"
            case _:
                return type(self.outcome).__name__

    @property
    def is_of_another(self) -> bool:
        """Whether what the person named is another payment's."""
        return self.asked_for is not None and self._mismatches and not self.is_other_money

    @property
    def is_other_money(self) -> bool:
        """Whether a charge of this payment is shown, of another amount or currency."""
        return isinstance(self.outcome, Unknown) and bool(self.outcome.shows)

    @property
    def _mismatches(self) -> bool:
        return isinstance(self.outcome, Unknown) and self.outcome.kind is UnknownKind.MISMATCH


def contradiction(case: Case, kind: Kind, says: Sequence[Said], gateway_ref: str | None) -> Said | None:
    """The first answer that a decision can't stand beside.

    What is still pending, or waits for the payer, contradicts both: it may yet be charged, and may yet not be. So does a
    charge of other money; but of a payment that has ended a person may say that it was looked into.
    """
    for said in says:
        outcome = said.outcome
        if isinstance(outcome, Pending | ActionRequired) or said.is_of_another:
            return said
        if said.is_other_money and not case.has_ended:
            return said
        if kind == "not_charged" and isinstance(outcome, Approved) and not _was_given_back(outcome):
            return said
        if kind == "charged" and _is_not_that_charge(case, outcome, gateway_ref):
            return said
    return None


def _is_not_that_charge(case: Case, outcome: Lookup, gateway_ref: str | None) -> bool:
    if not isinstance(outcome, Approved):
        return isinstance(outcome, Declined)
    is_other_sum = not case.has_ended and not_to_be_adopted(case.payment.amount, outcome) is not None
    return outcome.given_back or is_other_sum or gateway_ref not in (None, outcome.gateway_ref)


def _was_given_back(outcome: Lookup) -> bool:
    return isinstance(outcome, Approved) and outcome.given_back


def checked(kind: Kind, says: Sequence[Said]) -> Checked:
    """How far the gateways confirm a decision that they don't contradict."""
    return _charged(says) if kind == "charged" else _not_charged(says)


def is_confirmed(kind: Kind, how: Checked) -> bool:
    """Whether the gateways say as much as the person. That one knows of nothing confirms only that nothing was charged."""
    return how in ("confirmed", "nothing_sent") or (how == "not_found" and kind == "not_charged")


def _charged(says: Sequence[Said]) -> Checked:
    """Any answer is enough that shows the charge and whose it is; of the id that was named, what is said of that counts."""
    if any(isinstance(said.outcome, Approved) and said.is_proof for said in says):
        return "confirmed"
    about_the_named = [said for said in says if said.asked_for is not None] or says
    return "not_found" if isinstance(about_the_named[0].outcome, NotFound) else "unanswered"


def _not_charged(says: Sequence[Said]) -> Checked:
    """As far as the least certain of the answers goes, for each charge may be the one."""
    if not says:
        return "nothing_sent"
    if any(isinstance(said.outcome, Unknown) for said in says):
        return "unanswered"
    absent = [said for said in says if isinstance(said.outcome, NotFound)]
    if any(said.sent_ago_s < said.absent_after_s for said in absent):
        return "too_early"
    return "not_found" if absent else "confirmed"
