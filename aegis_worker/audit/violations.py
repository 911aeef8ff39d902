"""What an audit looks for and what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

# What a batch checked. An incident is over when the same kind of look finds nothing any more.
Looked = Literal["payments", "keys", "gateways"]

# What each invariant demands, in one line for people.
INVARIANTS: dict[str, str] = {
    "I1": "at most one net charge for a payment, over all gateways",
    "I2": "every accepted payment ends, or waits for a person",
    "I3": "what we say is what the gateways say",
    "I4": "the row is the fold of its events, and every event is delivered or still to be delivered",
    "I5": "an endpoint gets every event, in order per payment",
    "I6": "only legal transitions, and the end is final",
    "I7": "one idempotency key, one payment",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long something may be unfinished before that is wrong, in seconds; 0 suits an installation at rest.

    `overdue_after_s`: a job not taken up, or still held after its lease. `undelivered_after_s`: an event in the outbox.
    `settles_after_s`: what another worker may be about to put right. `keys_kept_s`: how long idempotency keys are kept;
    `deliveries_kept_s`: for how long a delivery that has ended can be expected to be there.
    """

    overdue_after_s: float = 900.0
    undelivered_after_s: float = 21_600.0
    settles_after_s: float = 120.0
    keys_kept_s: float = 72 * 3600.0
    deliveries_kept_s: float = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `breaks_history`: the events don't lead to the row, so neither can be built upon."""

    invariant: str
    summary: str
    evidence: Mapping[str, Any]
    breaks_history: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    """All the ways in which one payment breaks one invariant; `evidence` is plain JSON."""

    invariant: str
    payment_id: str
    summary: str
    evidence: Mapping[str, Any]
    breaks_history: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What one batch looked at and found. `cursor` goes into `after` of the next call; None: nothing is left.

    `long`: payments that have many events since their last snapshot.
    """

    looked: Looked
    payment_ids: Sequence[str]
    violations: Sequence[Violation]
    cursor: str | None
    long: Sequence[str] = ()


def gather(payment_id: str, findings: Sequence[Finding]) -> list[Violation]:
    """One violation for each invariant that is broken."""
    by_invariant: dict[str, list[Finding]] = {}
    for finding in findings:
        by_invariant.setdefault(finding.invariant, []).append(finding)
    return [
        Violation(
            invariant,
            payment_id,
            "; ".join(finding.summary for finding in found),
            {name: value for finding in found for name, value in finding.evidence.items()},
            any(finding.breaks_history for finding in found),
        )
        for invariant, found in sorted(by_invariant.items())
    ]
