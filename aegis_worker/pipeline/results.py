"""What the end of a call says about its gateway, for breakers and health. Pure: a table by kind of outcome."""

from __future__ import annotations

from aegis_worker.domain.declines import DECLINES
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.resilience.permits import CallResult, Counted, Said

from .work import CHARGING_STEPS, Answer, Permit, Work

_SAID: dict[type, Said] = {
    Approved: Said.SUCCESS,
    Declined: Said.SUCCESS,
    ActionRequired: Said.SUCCESS,
    Pending: Said.SUCCESS,
    NotFound: Said.SUCCESS,
    NotSent: Said.FAILURE,
    Unknown: Said.UNKNOWN,
}
# What any gateway would have answered; and what this one may have got wrong.
_OF_CATEGORY = {
    "soft": Counted.DECLINED,
    "technical": Counted.DECLINED,
    "hard": Counted.PAYER,
    "fraud": Counted.PAYER,
    "action": Counted.PAYER,
    "invalid": Counted.PAYER,
}


def result_of(work: Work, permit: Permit, answer: Answer) -> CallResult:
    """The result to report; `work` as it stood when the call went out."""
    outcome, operation = answer.outcome, work.subject.operation
    is_step = not answer.looked_up and operation in CHARGING_STEPS
    return CallResult(
        wanted=permit.wanted,
        epoch=permit.epoch,
        said=Said.NOTHING if _is_rate_limited(outcome) else _SAID[type(outcome)],
        latency_ms=answer.latency_ms,
        counted=_counted(outcome, operation, declined_before=_declined_before(work)) if is_step else None,
        error=_error(outcome) if is_step else "",
        hop_over=not is_step or operation is Operation.PROCESS or not isinstance(outcome, Approved),
    )


def _declined_before(work: Work) -> bool:
    return any(attempt.status == "DECLINED" for attempt in work.attempts)


def _counted(outcome: Outcome | Lookup, operation: Operation, *, declined_before: bool) -> Counted | None:
    if isinstance(outcome, Approved):
        return Counted.APPROVED if operation is Operation.PROCESS else None
    if isinstance(outcome, Declined) and declined_before:
        # Another gateway said so, too; else the one that is tried second would seem the worse one.
        return Counted.PAYER
    if isinstance(outcome, Declined):
        return _OF_CATEGORY[DECLINES[outcome.code].category]
    if isinstance(outcome, Pending | ActionRequired):
        return Counted.PENDING
    return Counted.RATE_LIMITED if _is_rate_limited(outcome) else Counted.ERROR


def _is_rate_limited(outcome: Outcome | Lookup) -> bool:
    kinds = (NotSentKind.RATE_LIMIT, UnknownKind.RATE_LIMIT)
    return isinstance(outcome, NotSent | Unknown) and outcome.kind in kinds


def _error(outcome: Outcome | Lookup) -> str:
    return outcome.kind.lower() if isinstance(outcome, NotSent | Unknown) else ""
