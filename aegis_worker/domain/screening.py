"""What hooks and rules said of a payment before its first attempt: findings, and the one action that holds. Pure.

A payment is screened once. What came of it is written with the first change of its job as PAYMENT_SCREENED, stands on the
payment's row, and is never asked for again. A worker that dies before that write asks again, so hooks and rules may be
asked more than once for a payment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from .card_search import card_data_in
from .payment import Fact, Payment
from .transitions import EventType
from .wishes import without_hooks_words

LONGEST_REASON = 200
"""How much of a reason is kept, in characters."""

HIGHEST_SCORE = 100
"""Scores are whole numbers from 0, nothing against it, to this one."""


class Action(StrEnum):
    """What is to be done with a payment, in order of severity: of all findings the most severe holds."""

    ALLOW = "allow"
    FLAG = "flag"
    REQUIRE_3DS = "require_three_ds"
    REVIEW = "review"
    BLOCK = "block"


_SEVERITY = {action: place for place, action in enumerate(Action)}


class Finding(Struct, frozen=True, omit_defaults=True):
    """What one hook or rule said. `source`: which, such as `hook our_shop:fraud` or `rule high-value`.

    `score`: from 0 to `HIGHEST_SCORE`. `failed`: why it gave no answer; the action is then that of its failure policy.
    `reason` and `failed` hold no personal data; see `reason_in_words`.
    """

    source: str
    action: Action
    reason: str | None = None
    score: int | None = None
    failed: str | None = None


class Named(Struct, frozen=True):
    """Gateways that a routing hook wants tried first, best first."""

    source: str
    gateways: tuple[str, ...]


class Screening(Struct, frozen=True, omit_defaults=True):
    """All that was said of one payment, in the order in which it was asked for.

    `metadata`: what enrichment added to the payment's own, none of whose keys it replaces. `facts`: what it added for
    routing alone. `named`: gateways that routing hooks want tried first. `approved`: a person has looked at it since, and
    lets it go on; `approved_at_s`: when, in seconds since 1970.
    """

    findings: tuple[Finding, ...] = ()
    metadata: Mapping[str, Any] = {}
    facts: Mapping[str, Any] = {}
    named: tuple[Named, ...] = ()
    approved: bool = False
    approved_at_s: float | None = None

    @property
    def action(self) -> Action:
        """What holds: the most severe of what was found; `allow` where nothing was, or where a person approved it."""
        return Action.ALLOW if self.approved else self.found

    @property
    def found(self) -> Action:
        """The most severe of what was found, whatever a person said since; `allow` where nothing was."""
        return max(
            (finding.action for finding in self.findings), key=_SEVERITY.__getitem__, default=Action.ALLOW
        )

    @property
    def score(self) -> int | None:
        """The highest score that was given; None where none was."""
        return max((finding.score for finding in self.findings if finding.score is not None), default=None)

    @property
    def three_ds(self) -> bool:
        """Whether the payer has to be authenticated by 3-D Secure, whatever else was found and whoever approved it."""
        return any(finding.action is Action.REQUIRE_3DS for finding in self.findings)

    @property
    def decisive(self) -> Finding | None:
        """The first finding whose action holds; None where nothing was found or a person approved it."""
        action = self.action
        return next((found for found in self.findings if found.action is action and not self.approved), None)

    def to_json(self) -> dict[str, Any]:
        """As the event and the payment's row keep it."""
        kept = to_builtins(self, str_keys=True) | {
            "findings": [to_builtins(found) for found in self.findings]
        }
        if self.named:
            kept["named"] = [{"source": one.source, "gateways": list(one.gateways)} for one in self.named]
        return {"action": self.action.value, "score": self.score, **kept}


def screening_of(payment: Payment) -> Screening | None:
    """What was said of the payment; None where it was never screened. Raises KeyError or ValueError for what isn't ours."""
    return None if payment.screening is None else screening_from(payment.screening)


def metadata_of(payment: Payment) -> Mapping[str, Any]:
    """The payment's metadata with what enrichment has added, which replaces nothing of it."""
    added = payment.screening.get("metadata") if payment.screening is not None else None
    return payment.terms.metadata if added is None else {**added, **payment.terms.metadata}


def facts_of(payment: Payment) -> Mapping[str, Any]:
    """What enrichment has told routing of the payment."""
    return {} if payment.screening is None else payment.screening.get("facts", {})


def screening_from(kept: Mapping[str, Any]) -> Screening:
    """What `Screening.to_json` wrote. Raises KeyError or ValueError for anything else."""
    return Screening(
        findings=tuple(
            Finding(
                found["source"],
                Action(found["action"]),
                found.get("reason"),
                found.get("score"),
                found.get("failed"),
            )
            for found in kept["findings"]
        ),
        metadata=kept.get("metadata", {}),
        facts=kept.get("facts", {}),
        named=tuple(Named(one["source"], tuple(one["gateways"])) for one in kept.get("named", ())),
        approved=kept.get("approved", False),
        approved_at_s=kept.get("approved_at_s"),
    )


def screened(screening: Screening) -> Fact:
    """Hooks and rules were asked about the payment, and this is what they said."""
    return Fact(EventType.SCREENED, {"screening": screening.to_json()})


def approved(screening: Screening, at_s: float) -> Fact:
    """A person lets the payment go on. What was found stays, and so does a demand for 3-D Secure."""
    kept = replace(screening, approved=True, approved_at_s=at_s).to_json()
    return Fact(EventType.REVIEWED, {"decision": "approved", "screening": kept})


def rejected() -> Fact:
    """A person does not let the payment go on."""
    return Fact(EventType.REVIEWED, {"decision": "rejected"})


def demands_three_ds(payment: Payment) -> bool:
    """Whether the payer has to be authenticated by 3-D Secure, because a hook or rule said so."""
    return payment.screening is not None and screening_from(payment.screening).three_ds


def for_merchants(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data of an event as merchants get it. Of a screening they learn which action holds: whoever knows which rule was
    met, or the score, can try until it is not. Findings, and what a hook asked for in its own words, are for operators.
    """
    if "screening" not in data and "reason" not in data:
        return data
    screening, reason = data.get("screening"), data.get("reason")
    if screening is not None:
        return {**data, "screening": {"action": screening["action"]}}
    return {**data, "reason": without_hooks_words(reason)} if isinstance(reason, str) else data


def reason_in_words(text: str, private: Sequence[str] = ()) -> str:
    """The text as it may be kept: one line of printable characters, at most `LONGEST_REASON`, each text of `private`
    that occurs in it and whatever looks like a card number replaced by three dots.
    """
    line = " ".join(
        "".join(letter if letter.isprintable() else " " for letter in text[: 4 * LONGEST_REASON]).split()
    )
    for value in sorted(filter(None, private), key=len, reverse=True):
        start = line.casefold().find(value.casefold())
        while start >= 0:
            line = f"{line[:start]}…{line[start + len(value) :]}"
            start = line.casefold().find(value.casefold(), start + 1)
    for start, end in reversed(card_data_in(line)):
        line = f"{line[:start]}…{line[end:]}"
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 1]}…"
