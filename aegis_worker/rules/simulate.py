"""Past payments through a draft of the rules: what they would have found, with the counters counted anew. Pure.

`ASSUMPTIONS` says what is taken for granted; every answer carries it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from aegis_worker.domain.payment import Payment
from aegis_worker.domain.screening import Action, Screening
from aegis_worker.domain.transitions import State
from aegis_worker.ids import made_at

from .counting import SHELF_MS, PlainCounters
from .fields import Asked
from .judge import Counted, asks_of, asks_of_decline, findings_of, met_so_far
from .rule import RulesConfig
from .velocity import Disguise

ASSUMPTIONS = (
    "Payments are replayed in the order in which they were accepted, as if each had been screened at that moment; one that "
    "was scheduled for later is screened later in truth.",
    "Counters begin empty at the first of these payments, so rules with long windows find less at the beginning.",
    "Redis is taken to have answered all along, and a decline counts from when it was heard of.",
    "Terms, metadata and countries are those of the payment now. What has been erased, or kept for its time, is not known "
    "any more: rules over e-mail and IP addresses and addresses' countries find less in old payments.",
    "What became of a payment is what became of it without these rules: a blocked one would have moved no money.",
)

_MOST_EXAMPLES = 5


@dataclass(slots=True)
class Tally:
    """Payments, and what became of them. `amounts` in minor units by currency; `disputed`: at any time since."""

    payments: int = 0
    succeeded: int = 0
    failed: int = 0
    disputed: int = 0
    amounts: Counter[str] = field(default_factory=Counter)

    def add(self, payment: Payment) -> None:
        """One more payment."""
        self.payments += 1
        self.succeeded += payment.state in (State.SUCCESS, State.AUTHORIZED)
        self.failed += payment.state in (State.FAILURE, State.CANCELLED)
        self.disputed += bool(payment.disputed_minor or payment.charged_back_minor)
        self.amounts[payment.amount.currency] += payment.amount.minor


@dataclass(slots=True)
class RuleTally(Tally):
    """Payments that met a rule; `examples` are ids of the first of them."""

    examples: list[str] = field(default_factory=list)

    def add(self, payment: Payment) -> None:
        """One more payment."""
        Tally.add(self, payment)
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(payment.id)


@dataclass(frozen=True, slots=True, order=True)
class Declined:
    """A call that was declined, and of which payment it was."""

    at_ms: int
    call: str
    asked: Asked = field(compare=False)


@dataclass(slots=True)
class RulesSimulation:
    """The payments that were replayed so far, and what came of it.

    `actions`: by the action that would have held; `rules`: by the source of a finding, every rule that is on among them.
    `changed`: how often which action held at the time, None where nothing screened the payment, and which would have.
    """

    config: RulesConfig
    payments: int = 0
    actions: dict[Action, Tally] = field(default_factory=lambda: {action: Tally() for action in Action})
    rules: dict[str, RuleTally] = field(default_factory=dict)
    changed: Counter[tuple[Action | None, Action]] = field(default_factory=Counter)
    _counters: PlainCounters = field(init=False)
    # Declines of replayed payments that the replay has not reached yet, the earliest first.
    _to_come: list[Declined] = field(default_factory=list)
    # Subjects are hidden under a random secret: the names are shown to nobody and end with the simulation.
    _disguise: Disguise = field(default_factory=lambda: Disguise("simulation"))

    def __post_init__(self) -> None:
        self._counters = PlainCounters(self.config.most_entries)
        self.rules = {f"rule {rule.id}": RuleTally() for rule in self.config.on}

    def add(self, asked: Asked, was: Screening | None, declines: Sequence[tuple[int, str]] = ()) -> None:
        """Replay one payment, accepted no earlier than the one before; `was`: what was found at the time.

        `declines`: when which of its calls was declined, in ms since 1970.
        """
        at_ms = int(made_at(asked.payment.id).timestamp() * 1000)
        self._decline_until(at_ms)
        for declined_ms, call in declines:
            heappush(self._to_come, Declined(max(declined_ms, at_ms), f"{asked.payment.id}/{call}", asked))
        met = met_so_far(self.config, asked, self._disguise.asking(asked))
        asks = asks_of(met)
        values = self._counters.count(asked.payment.id, at_ms // SHELF_MS, asks, at_ms) if asks else []
        counted = Counted({ask.counter.id: value for ask, value in zip(asks, values, strict=True)})
        found = Screening(findings_of(self.config, met, counted))
        self.payments += 1
        self.actions[found.action].add(asked.payment)
        for finding in found.findings:
            self.rules.setdefault(finding.source, RuleTally()).add(asked.payment)
        held = None if was is None else Screening(was.findings).action
        if (held or Action.ALLOW) is not found.action:
            self.changed[held, found.action] += 1

    def _decline_until(self, at_ms: int) -> None:
        """Count the declines up to that time."""
        while self._to_come and self._to_come[0].at_ms <= at_ms:
            declined = heappop(self._to_come)
            ask_of = self._disguise.asking(declined.asked, declines=1)
            asks = asks_of_decline(self.config, declined.asked, ask_of)
            shelf = int(made_at(declined.asked.payment.id).timestamp() * 1000) // SHELF_MS
            if asks:
                self._counters.count(declined.call, shelf, asks, declined.at_ms)


def amounts_of(tally: Tally) -> Sequence[Mapping[str, object]]:
    """The sums of a tally, by currency."""
    return [{"currency": currency, "minor": minor} for currency, minor in sorted(tally.amounts.items())]
