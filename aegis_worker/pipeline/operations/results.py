"""What the end of a call says about its gateway, for breakers and health. Pure: a table by kind of outcome."""

from __future__ import annotations

from aegis_worker.domain.declines import DECLINES, OF_THE_VAULT
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.resilience.permits import CallResult, Counted, Said, Wanted

from ..work import Answer

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


def plain_result(wanted: Wanted, epoch: int, answer: Answer) -> CallResult:
    """For breakers alone: the gateway's health counts nothing but charges."""
    says_nothing = is_rate_limited(answer.outcome) or _is_of_the_vault(answer.outcome)
    said = Said.NOTHING if says_nothing else _SAID[type(answer.outcome)]
    return CallResult(wanted, epoch, said, answer.latency_ms)


def step_result(
    wanted: Wanted, epoch: int, answer: Answer, *, is_last: bool, declined_before: bool
) -> CallResult:
    """For breakers and health: a step that leads to a charge, or the charge itself, which `is_last`."""
    outcome = answer.outcome
    if _is_of_the_vault(outcome):
        return plain_result(wanted, epoch, answer)._replace(hop_over=True)
    return plain_result(wanted, epoch, answer)._replace(
        counted=_counted(outcome, is_last=is_last, declined_before=declined_before),
        error=outcome.kind.lower() if isinstance(outcome, NotSent | Unknown) else "",
        hop_over=is_last or not isinstance(outcome, Approved),
    )


def is_rate_limited(outcome: Outcome | Lookup) -> bool:
    """Whether the gateway took no more requests."""
    kinds = (NotSentKind.RATE_LIMIT, UnknownKind.RATE_LIMIT)
    return isinstance(outcome, NotSent | Unknown) and outcome.kind in kinds


def _is_of_the_vault(outcome: Outcome | Lookup) -> bool:
    """Whether the gateway was not called, because the card vault did not give the card."""
    if isinstance(outcome, Declined):
        return outcome.code in OF_THE_VAULT
    return isinstance(outcome, NotSent) and outcome.kind is NotSentKind.VAULT


def _counted(outcome: Outcome | Lookup, *, is_last: bool, declined_before: bool) -> Counted | None:
    if isinstance(outcome, Approved):
        return Counted.APPROVED if is_last else None
    if isinstance(outcome, Declined) and declined_before:
        # Another gateway said so, too; else the one that is tried second would seem the worse one.
        return Counted.PAYER
    if isinstance(outcome, Declined):
        return _OF_CATEGORY[DECLINES[outcome.code].category]
    if isinstance(outcome, Pending | ActionRequired):
        return Counted.PENDING
    return Counted.RATE_LIMITED if is_rate_limited(outcome) else Counted.ERROR
