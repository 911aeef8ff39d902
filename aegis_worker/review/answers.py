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
    """What a gateway answered about one charge.

    `asked_for`: the gateway's id that a person named, if we asked about that id. `is_proof`: whether the answer about it
    proves by itself whose charge it is. `sent_ago_s`: the least time between sending the charge and asking about it.
    `absent_after_s`: for how long after a call this gateway may still not show its effect.
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
        """Whether the charge that the person named belongs to another payment."""
        return self.asked_for is not None and self._mismatches and not self.is_other_money

    @property
    def is_other_money(self) -> bool:
        """Whether the gateway shows a charge of this payment with another amount or currency than ours."""
        return isinstance(self.outcome, Unknown) and bool(self.outcome.shows)

    @property
    def _mismatches(self) -> bool:
        return isinstance(self.outcome, Unknown) and self.outcome.kind is UnknownKind.MISMATCH


def contradiction(case: Case, kind: Kind, says: Sequence[Said], gateway_ref: str | None) -> Said | None:
    """The first answer that contradicts the decision, or None.

    A charge that is pending or waits for the payer contradicts both "charged" and "not charged", because it may still end
    either way. A charge of another amount or currency contradicts both, too; but if the payment has ended, a person may
    close its job as looked into.
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
    return _charged(says) if kind in ("charged", "succeeded") else _not_charged(says)


def is_confirmed(kind: Kind, how: Checked) -> bool:
    """Whether the gateways confirm the decision. An answer "no such charge" can confirm only that nothing was charged."""
    return how in ("confirmed", "nothing_sent") or (how == "not_found" and kind == "not_charged")


def _charged(says: Sequence[Said]) -> Checked:
    """One answer that shows the charge and whose it is suffices; if a person named an id, the answer about that id."""
    if any(isinstance(said.outcome, Approved) and said.is_proof for said in says):
        return "confirmed"
    about_the_named = [said for said in says if said.asked_for is not None] or says
    return "not_found" if isinstance(about_the_named[0].outcome, NotFound) else "unanswered"


def _not_charged(says: Sequence[Said]) -> Checked:
    """The least certain of the answers decides, because any of the charges may have moved the money."""
    if not says:
        return "nothing_sent"
    if any(isinstance(said.outcome, Unknown) for said in says):
        return "unanswered"
    absent = [said for said in says if isinstance(said.outcome, NotFound)]
    if any(said.sent_ago_s < said.absent_after_s for said in absent):
        return "too_early"
    return "not_found" if absent else "confirmed"
