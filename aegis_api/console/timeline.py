"""One timeline of a payment: its events, what was sent to gateways and answered, look-ups, what gateways told, people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aegis_worker.domain.exchanges import Because, CallKind
from aegis_worker.domain.transitions import EventType
from aegis_worker.queries.case_file import CaseFile
from aegis_worker.queries.exchanges import StoredExchange
from aegis_worker.queries.explain import Explanation
from aegis_worker.queries.gateway_events import StoredGatewayEvent
from aegis_worker.queries.history import StoredAttempt
from aegis_worker.queries.sentences import called, in_hop, of_attempt, of_event
from aegis_worker.views.audit_log import audit_entry_body
from aegis_worker.views.exchanges import exchange_body

from .shown import span, upper_first, words

# Longer waits than this are drawn short, and said in words.
_GAP_S = 300.0
_ONE_COMMIT_S = 1.0
_SHAPES = {
    EventType.INITIATED: ("dot", ""),
    EventType.ACTION_REQUIRED: ("half", ""),
    EventType.IN_DOUBT: ("diamond", "doubt"),
    EventType.REVIEW_REQUIRED: ("person", "person"),
    EventType.SUCCEEDED: ("disc", ""),
    EventType.AUTHORIZED: ("half", ""),
    EventType.FAILED: ("cross", ""),
    EventType.CANCELLED: ("bar", ""),
    EventType.DUPLICATE_DETECTED: ("triangle", "bad"),
    EventType.DISPUTE_OPENED: ("person", "person"),
}
_BESIDES: dict[Because, str] = {
    "comparison": "A comparison asked, and found a difference",
    "decision": "The gateway was asked for a person",
    "dispute": "The gateway was asked about a dispute",
}
# At one moment: what was decided, what was sent, what happened of it.
_RANK = {"decision": 0, "call": 1, "answer": 2, "look_up": 3, "told": 4, "event": 5, "person": 6}


@dataclass(slots=True)
class Step:
    """One thing that happened. `lead` stands out, and `text` follows it.

    `after_s`: since the step before; `gap`: in words, where that is long. `seq`: the last event by then. `facts`: what a
    decision looked at. `exchanges`: what went out and came back.
    """

    at: datetime
    kind: str
    lead: str
    text: str = ""
    shape: str = "dot"
    tone: str = ""
    note: str = ""
    key: str | None = None
    seq: int = 0
    after_s: float | None = None
    gap: str | None = None
    facts: Any = None
    exchanges: Sequence[dict[str, Any]] = field(default_factory=tuple)


def timeline(explanation: Explanation, told: Iterable[StoredGatewayEvent]) -> list[Step]:
    """All steps, oldest first."""
    case = explanation.case
    steps = [
        *_events(case),
        *_decisions(explanation),
        *(step for stored in case.attempts for step in _calls(stored, case.exchanges)),
        *_asked_besides(case.exchanges),
        *_told(told),
        *_people(case),
    ]
    steps.sort(key=lambda step: (step.at, _RANK[step.kind]))
    seq, before = 0, None
    for step in steps:
        seq = step.seq = max(seq, step.seq)
        if before is not None:
            step.after_s = max(0.0, (step.at - before).total_seconds())
            step.gap = f"{span(step.after_s)} later" if step.after_s > _GAP_S else None
        before = step.at
    return steps


def _events(case: CaseFile) -> Iterator[Step]:
    currency = case.stored.payment.amount.currency
    for event in case.events:
        lead, text = _split(of_event(event.type, event.data, currency))
        shape, tone = _SHAPES.get(event.type, ("dot", ""))
        note = f"event {event.seq}, {event.type.wire}"
        yield Step(event.at, "event", lead, text, shape, tone, note, seq=event.seq)


def _split(sentence: str) -> tuple[str, str]:
    """`the doubt is over: ch_1 was found` as what stands out and what follows."""
    lead, colon, text = sentence.partition(": ")
    if not colon or len(lead) > 48:
        return upper_first(sentence), ""
    return upper_first(lead), text


def _decisions(explanation: Explanation) -> Iterator[Step]:
    for decision in explanation.decisions:
        shape = "route" if decision.kind == "route" else "dot"
        yield Step(
            decision.at, "decision", upper_first(decision.what), decision.why, shape, facts=decision.facts
        )


def _calls(stored: StoredAttempt, exchanges: Sequence[StoredExchange]) -> Iterator[Step]:
    attempt = stored.attempt
    name = f"{called(attempt.operation, attempt.number)}{in_hop(attempt.number)}"
    theirs = [one for one in exchanges if one.is_of(attempt)]
    sent = [exchange_body(one) for one in theirs if one.kind is not CallKind.LOOK_UP]
    by_jobs = [one for one in theirs if one.exchange.because is None]
    looked = [exchange_body(one) for one in by_jobs if one.kind is CallKind.LOOK_UP]
    again = f", {attempt.sends} times under the same key" if attempt.sends > 1 else ""
    yield Step(
        stored.sent_at,
        "call",
        f"Sent to {attempt.gateway}",
        f"{name}{again}",
        "send",
        key=attempt.gateway_key,
        exchanges=sent,
    )
    settled_by_asking = _is_close(stored.answered_at, stored.last_checked_at)
    if stored.answered_at is not None and not settled_by_asking:
        took = "" if stored.latency_ms is None else f" after {stored.latency_ms:,.0f} ms"
        doubtful = attempt.status.is_in_doubt
        lead = f"No usable answer{took}" if doubtful else f"{attempt.gateway} answered{took}"
        shape, tone = ("diamond", "doubt") if doubtful else ("answer", "")
        yield Step(stored.answered_at, "answer", lead, of_attempt(attempt), shape, tone)
    if stored.last_checked_at is not None:
        times = {1: "once", 2: "twice"}.get(attempt.checks, f"{attempt.checks} times")
        found = of_attempt(attempt) if settled_by_asking else f"what became of {name}"
        absent = f"; {attempt.not_found_count} times it knew nothing of it" if attempt.not_found_count else ""
        yield Step(
            stored.last_checked_at,
            "look_up",
            f"{attempt.gateway} was asked {times}",
            found + absent,
            "look",
            exchanges=looked,
        )


def _is_close(answered_at: datetime | None, checked_at: datetime | None) -> bool:
    """Whether what stands there as the answer was found by asking: both are written in one commit."""
    if answered_at is None or checked_at is None:
        return False
    return abs((answered_at - checked_at).total_seconds()) < _ONE_COMMIT_S


def _asked_besides(exchanges: Sequence[StoredExchange]) -> Iterator[Step]:
    """What gateways were asked where no job asked."""
    for one in exchanges:
        if one.exchange.because is not None:
            what = f"{called(one.operation, one.number)}{in_hop(one.number)}"
            lead = _BESIDES[one.exchange.because]
            yield Step(one.at, "look_up", lead, what, "look", exchanges=[exchange_body(one)])


def _told(events: Iterable[StoredGatewayEvent]) -> Iterator[Step]:
    for event in events:
        why = f": {event.reason}" if event.reason else ""
        yield Step(
            event.received_at,
            "told",
            f"{event.gateway} told by itself",
            f"{words(event.kind)}; {words(event.status)}{why}",
            "bell",
        )


def _people(case: CaseFile) -> Iterator[Step]:
    for entry in case.decisions_of_people:
        body = audit_entry_body(entry)
        reason = entry.details.get("reason")
        yield Step(
            entry.at,
            "person",
            f"{entry.actor}: {words(entry.action.partition('.')[2] or entry.action)}",
            f"“{reason}”" if reason else "",
            "person",
            note=f"audit log {entry.seq}",
            facts=body["details"],
        )
