"""What a demo found out: figures for the report, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aegis_worker.domain.transitions import TERMINAL, EventType, State
from aegis_worker.lab.percentiles import percentiles

from .ledgers import Comparison
from .merchant import Posted
from .roles import ENDS_AS, PLAIN
from .sink import Arrivals
from .vaulted import ENDS_AS as ENDS_OF_VAULTED
from .vaulted import FAILS_OVER, Outage

_IDS_SHOWN = 10
_ENDS_AS = ENDS_AS | ENDS_OF_VAULTED
_TERMINAL_EVENTS = {event.wire for event in (EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELLED)}


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was seen. `payments`: as the API shows them at the end, with their events. `outage`: of the first
    gateway, with cards of the vault.
    """

    seed: int
    duration_s: float
    posted: Sequence[Posted]
    payments: Sequence[Mapping[str, Any]]
    comparison: Comparison
    arrivals: Arrivals
    outage: Outage = field(default_factory=Outage)

    @property
    def role_of(self) -> dict[str, str]:
        """What each payment went through, by its id."""
        return {posted.payment_id: posted.order.role for posted in self.posted}

    def by_state(self) -> dict[str, int]:
        """How many payments ended in each state."""
        return dict(Counter(payment["state"] for payment in self.payments))

    def by_gateway(self) -> dict[str, int]:
        """How many payments each gateway had last."""
        return dict(Counter(payment["gateway"] or "none" for payment in self.payments))

    def vaulted(self) -> list[Mapping[str, Any]]:
        """The payments by cards of the vault that were posted while a gateway was down."""
        return [payment for payment in self.payments if self.role_of[payment["id"]] == FAILS_OVER]

    def accept_ms(self) -> list[float]:
        """Of every POST, from sending to the answer."""
        return [posted.took_ms for posted in self.posted]

    def end_to_end_ms(self) -> list[float]:
        """Of every payment that has ended, from its row to its terminal event, by PostgreSQL's clock."""
        return [
            (ended - accepted).total_seconds() * 1000
            for accepted, ended in map(_span, self.payments)
            if ended
        ]

    def throughput_per_s(self) -> float:
        """Plain payments (no payer and no doubt to wait for) a second, from the first acceptance to the last end."""
        spans = [_span(payment) for payment in self.payments if self.role_of[payment["id"]] == PLAIN]
        ends = [ended for _, ended in spans if ended]
        if not ends:
            return 0.0
        seconds = (max(ends) - min(accepted for accepted, _ in spans)).total_seconds()
        return len(ends) / seconds if seconds else 0.0

    def last_seqs(self) -> dict[str, int]:
        """The seq of each payment's last event: every event up to it has a webhook."""
        return {payment["id"]: payment["events"]["data"][-1]["seq"] for payment in self.payments}

    def problems(self) -> dict[str, list[str]]:
        """What is wrong, in words, with the payments' ids; empty when the demo passed."""
        repeats = Counter(posted.order.key for posted in self.posted)
        replays = Counter(posted.order.key for posted in self.posted if posted.replayed)
        found = {
            "charged twice": self.comparison.charged_twice,
            "charged, but not SUCCESS": self.comparison.charged_not_success,
            "SUCCESS, but not charged": self.comparison.success_not_charged,
            "captures that differ": self.comparison.captures_differ,
            "voids that differ": self.comparison.voids_differ,
            "still held, but ended": self.comparison.still_held,
            "refunds that differ": self.comparison.refunds_differ,
            "unresolved": self.comparison.unresolved,
            "ended otherwise than its gateway decided": [
                payment["id"]
                for payment in self.payments
                if State(payment["state"]) in TERMINAL
                and payment["state"] != _ENDS_AS[self.role_of[payment["id"]]]
            ],
            "not charged by another gateway than the one that was down": [
                payment["id"] for payment in self.vaulted() if payment["gateway"] == self.outage.gateway
            ],
            "posted again and not replayed": [
                key for key, count in repeats.items() if replays[key] < count - 1
            ],
            "webhooks out of order": list(self.arrivals.out_of_order()),
            "webhooks missing": list(self.arrivals.missing(self.last_seqs())),
            "webhooks with a wrong signature": ["–"] * self.arrivals.forged,
        }
        return {what: ids for what, ids in found.items() if ids}

    def as_json(self) -> dict[str, Any]:
        """The figures of `--json`."""
        return {
            "payments": len(self.payments),
            "by_state": self.by_state(),
            "by_gateway": self.by_gateway(),
            "charged_twice": len(self.comparison.charged_twice),
            "charged_not_success": len(self.comparison.charged_not_success),
            "success_not_charged": len(self.comparison.success_not_charged),
            "captures_differ": len(self.comparison.captures_differ),
            "voids_differ": len(self.comparison.voids_differ),
            "still_held": len(self.comparison.still_held),
            "refunds_differ": len(self.comparison.refunds_differ),
            "unresolved": len(self.comparison.unresolved),
            "failed_over": sum(payment["state"] == State.SUCCESS for payment in self.vaulted()),
            "webhooks_out_of_order": sum(self.arrivals.out_of_order().values()),
            "webhooks_missing": sum(self.arrivals.missing(self.last_seqs()).values()),
            "accept_ms": percentiles(self.accept_ms()),
            "end_to_end_ms": percentiles(self.end_to_end_ms()),
            "throughput_per_s": round(self.throughput_per_s(), 1),
            "duration_s": round(self.duration_s, 1),
            "seed": self.seed,
            "ledgers": self.ledgers(),
        }

    def ledgers(self) -> list[dict[str, Any]]:
        """How many charges, captures, voids and refunds we say each gateway made, and how many its ledger has."""
        ours, theirs = self.comparison.ours, self.comparison.theirs
        names = sorted({gateway for gateway, _ in [*ours, *theirs] if gateway})
        return [
            {"gateway": name, "what": what, "ours": ours[name, what], "ledger": theirs[name, what]}
            for name in names
            for what in ("charges", "captures", "voids", "refunds")
        ]


def shown(ids: Sequence[str]) -> str:
    """Some ids, and how many there are in all."""
    some = ", ".join(dict.fromkeys(ids[:_IDS_SHOWN]))
    return some if len(ids) <= _IDS_SHOWN else f"{some} and {len(ids) - _IDS_SHOWN} more"


def _span(payment: Mapping[str, Any]) -> tuple[datetime, datetime | None]:
    events = payment["events"]["data"]
    ended = next((event["created_at"] for event in events if event["type"] in _TERMINAL_EVENTS), None)
    return datetime.fromisoformat(payment["created_at"]), datetime.fromisoformat(ended) if ended else None
