"""Why a payment is in its state, how certain that is, on what evidence, and which decisions led there. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from aegis_worker.domain.attempts import Attempt, AttemptStatus
from aegis_worker.domain.confirms import deciding_last
from aegis_worker.domain.moments import readable
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.transitions import LEADS_TO, OF_DISPUTES, EventType, State

from .case_file import CaseFile
from .choices import Decision, decisions_of
from .outlook import Next, outlook
from .sentences import called, in_hop, of_attempt, of_event
from .wording import duration, words

_REFUSED = (AttemptStatus.NOT_SENT, AttemptStatus.DECLINED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen, and when."""

    at: datetime
    source: Literal["call", "answer", "look_up", "person"]
    what: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Answers to what a person asks about a payment."""

    case: CaseFile
    why: str
    certainty_because: str
    evidence: Sequence[Evidence]
    decisions: Sequence[Decision]
    next: Next


def explain(case: CaseFile) -> Explanation:
    """The explanation of what stands in the file."""
    return Explanation(
        case=case,
        why=_why(case),
        certainty_because=_certainty_because(case),
        evidence=_evidence(case),
        decisions=decisions_of(case),
        next=outlook(case),
    )


def _why(case: CaseFile) -> str:
    """The events that explain the payment's state: the one that led to it, and those that matter since then."""
    currency = case.stored.payment.amount.currency
    last: dict[str, str] = {}
    for event in case.events:
        if event.type in LEADS_TO:
            last = {"state": of_event(event.type, event.data, currency)}
        elif event.type is EventType.RESOLVED:
            last.pop("doubt", None)
            last.pop("review", None)
        elif event.type is EventType.IN_DOUBT:
            last["doubt"] = of_event(event.type, event.data, currency)
        elif event.type is EventType.REVIEW_REQUIRED:
            last["review"] = of_event(event.type, event.data, currency)
        elif event.type in OF_DISPUTES:
            last[event.data["dispute_id"]] = of_event(event.type, event.data, currency)
        elif event.type in (EventType.DUPLICATE_DETECTED, EventType.DUPLICATE_REVERSED):
            last["duplicate"] = of_event(event.type, event.data, currency)
    if case.job is None or case.job.status != "review":
        last.pop("review", None)
    if case.job is not None and case.job.status == "waiting" and case.job.queue == "payments":
        if case.calls and case.calls[-1].status in _REFUSED:
            # The state says only that there may be a charge. That it was refused since is no event, so say it here.
            last["state"] = _ended(case.calls[-1])
        if case.job.reason:
            last["waits"] = f"it waits: {case.job.reason} (as of {readable(case.job.updated_at)} UTC)"
    return "; ".join(last.values()) or "nothing is recorded about it"


def _certainty_because(case: CaseFile) -> str:
    if case.frozen_at is not None:
        return "its row and its events disagree: neither is to be believed before a person has looked"
    waits = case.stored.payment.state is State.REQUIRES_ACTION
    calls = deciding_last(case.stored.payment, case.calls)
    if not calls:
        return "nothing was ever sent to a gateway"
    doubtful = [
        attempt
        for attempt in calls
        if attempt.status.is_in_doubt and (waits or attempt.operation is not Operation.CONFIRM)
    ]
    if case.stored.payment.certainty == "unknown" or doubtful:
        return _doubt(doubtful[-1] if doubtful else calls[-1])
    decided = [attempt for attempt in calls if attempt.outcome.decided_by]
    if decided:
        checked = (decided[-1].outcome.checked or "").replace("_", " ")
        return f"a person decided it (what {decided[-1].gateway} said: {checked})"
    return _how_known(calls[-1])


def _doubt(attempt: Attempt) -> str:
    asked = f"; asked {_times(attempt.checks)} since" if attempt.checks else "; not asked about yet"
    absent = f", {_times(attempt.not_found_count)} it knew nothing of it" if attempt.not_found_count else ""
    sent = f", sent {_times(attempt.sends)} under one key" if attempt.sends > 1 else ""
    what = called(attempt.operation, attempt.number)
    where = f"{what} went to {attempt.gateway}{in_hop(attempt.number)}{sent}"
    if attempt.status == "SENT" and not attempt.checks:
        return f"{where} and no answer has come yet"
    return f"{where} and no usable answer came{asked}{absent}"


def _how_known(attempt: Attempt) -> str:
    if attempt.status in (AttemptStatus.PENDING, AttemptStatus.ACTION_REQUIRED):
        return f"{attempt.gateway} has it and has not decided yet"
    if attempt.checks:
        return f"{attempt.gateway} was asked {_times(attempt.checks)} what became of it, and answered"
    if attempt.status == AttemptStatus.NOT_SENT:
        return f"{attempt.gateway} did not take the call ({attempt.outcome.reason})"
    return f"{attempt.gateway} answered the call itself"


def _evidence(case: CaseFile) -> list[Evidence]:
    found: list[Evidence] = []
    for stored in case.attempts:
        attempt, name = stored.attempt, _name(stored.attempt)
        again = f", {_times(attempt.sends)} under the same key" if attempt.sends > 1 else ""
        found.append(Evidence(stored.sent_at, "call", f"{name} was sent{again}"))
        if stored.answered_at is not None:
            took = "" if stored.latency_ms is None else f" (the call took {_took(stored.latency_ms)})"
            found.append(Evidence(stored.answered_at, "answer", _ended(attempt) + took))
        if stored.last_checked_at is not None:
            absent = f", {_times(attempt.not_found_count)} it knew nothing" if attempt.not_found_count else ""
            about = called(attempt.operation, attempt.number)
            asked = f"{attempt.gateway} was asked about {about} {_times(attempt.checks)}{absent}"
            found.append(Evidence(stored.last_checked_at, "look_up", asked))
    for entry in case.decisions_of_people:
        found.append(Evidence(entry.at, "person", _OF_ENTRY.get(entry.action, _other_entry)(entry.details)))
    return sorted(found, key=lambda evidence: evidence.at)


def _name(attempt: Attempt) -> str:
    what = called(attempt.operation, attempt.number)
    return f"{what} at {attempt.gateway}{in_hop(attempt.number)}"


def _ended(attempt: Attempt) -> str:
    return f"{_name(attempt)}: {of_attempt(attempt)}"


def _took(latency_ms: float) -> str:
    return f"{latency_ms:.0f} ms" if latency_ms < 1000 else duration(latency_ms / 1000)


def _other_entry(details: Mapping[str, Any]) -> str:
    return "a person did something"


# A merchant may read this, so it leaves out the operator's reason and what a gateway says about other payments.
_TOOK_EFFECT: dict[str, str] = {"after_wait": ", after its wait", "forced": ", by force"}
_OF_ENTRY: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "payment.resolved": lambda details: (
        f"a person decided: {words(details.get('resolution'))}"
        + (f" (the gateway: {words(details['checked'])})" if details.get("checked") else "")
        + _TOOK_EFFECT.get(str(details.get("took_effect")), "")
    ),
    "payment.rebuilt": lambda details: "a person had it rebuilt from its events",
    "payment.decided": lambda details: (
        f"a person decided: {words(details['resolution'])}; it waits for the gateway to confirm it"
    ),
    "payment.decision_withdrawn": lambda details: (
        f"a person took the decision back: {words(details['withdrawn']['resolution'])}"
    ),
    "payment.decision_refused": lambda details: (
        f"the gateway contradicted the decision, which was refused: {words(details['refused']['resolution'])}"
    ),
    "payment.decision_overtaken": lambda details: (
        f"it was settled without the decision: {words(details['overtaken']['resolution'])}"
    ),
}


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
