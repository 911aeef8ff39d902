"""Asks hooks and rules about the jobs that a worker holds, beside its calls in flight. Waits for nobody.

Rules are asked for a whole batch, then for each payment by itself the hooks: enrichment, fraud checks, routing. A payment
that is to be blocked is asked about no further. One whose hooks are slow waits for them alone, and for a few seconds at
most, well within its lease; no transaction is open meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import structlog
from msgspec.structs import replace

from aegis_worker.clock import clock_s
from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.gateway_keys import is_ordered, order_number
from aegis_worker.domain.screening import Action, Finding, Screening
from aegis_worker.domain.wishes import Wish
from aegis_worker.hooks import (
    NO_HOOKS,
    BeforeOperation,
    Enriching,
    FraudCheck,
    GatewayFacts,
    Hooks,
    OperationError,
    PaymentFacts,
    Point,
    Routing,
    Said,
)
from aegis_worker.hooks.facts import facts_of
from aegis_worker.rules.fields import Asked
from aegis_worker.rules.screen import NO_RULES, DeclinedCall, Rules

from .said import checked, enriched, kept, private_texts, routed_by, wishes_of
from .work import NOBODY, Asks, Rest, Send, Settled, Work

log = structlog.get_logger(__name__)

# Called once with what hooks ask for, from any thread; with an exception where something happened that should not have.
Done = Callable[[tuple[Wish, ...] | BaseException], None]

SCREENING = (Point.ENRICH, Point.FRAUD_CHECK, Point.ROUTE)
"""The points at which hooks are asked before a payment's first attempt, in this order."""

# How long hooks and rules may take over one payment before its first call, and over one call, waiting for a free process
# included; never more than a third of what is left of the lease. Each hook's own limit is shorter, and cuts it off.
_SCREENING_S, _AROUND_A_CALL_S, _OF_THE_LEASE = 5.0, 2.0, 3.0

_OUTCOMES: Mapping[AttemptStatus, Any] = {
    AttemptStatus.DECLINED: "declined",
    AttemptStatus.NOT_SENT: "not_sent",
    AttemptStatus.UNKNOWN: "unknown",
}


class Due(NamedTuple):
    """A payment to be screened. `gateways`: those that may take it. `done` is called once, from any thread; with an
    exception where something happened that should not have.
    """

    work: Work
    gateways: tuple[GatewayFacts, ...]
    done: Callable[[Screening | BaseException], None]


class Stage:
    """Asks the hooks and rules of one process. Nothing of it raises but `asks`."""

    def __init__(self, hooks: Hooks = NO_HOOKS, rules: Rules = NO_RULES) -> None:
        self._hooks, self._rules = hooks, rules

    def asks(self) -> Asks:
        """At which points anybody is to be asked now. Raises DatabaseUnavailable, as `Rules.applies` does."""
        has = self._hooks.has
        screening = self._rules.applies() or any(map(has, SCREENING))
        asks = Asks(screening, has(Point.BEFORE_OPERATION), has(Point.ON_ERROR))
        return NOBODY if asks == NOBODY else asks

    @property
    def names_gateways(self) -> bool:
        """Whether a hook is to be told which gateways may take a payment."""
        return self._hooks.has(Point.ROUTE)

    def screen(self, due: Sequence[Due]) -> None:
        """Ask rules about all of them at once, then hooks about each by itself."""
        until_s = [_until_s(one.work, _SCREENING_S) for one in due]
        found = self._found_by_rules(due)
        for one, findings, until in zip(due, found, until_s, strict=True):
            _Screening(self._hooks, one, Screening(findings), until).go_on()

    def declined(self, calls: Sequence[DeclinedCall]) -> None:
        """Have rules count what was declined. No call waits for it for longer than Redis may take."""
        try:
            self._rules.declined(calls)
        except Exception:  # what was declined is to be written, whoever counts it
            log.exception("declines not counted", calls=len(calls))

    def before(self, work: Work, step: Send, done: Done) -> None:
        """Ask hooks whether this call goes out."""
        opened = step.opened
        context = BeforeOperation(
            _facts(work, None),
            _operation(work),
            opened.gateway,
            order_number(opened.number) if is_ordered(opened.number) else opened.number,
            step.request.amount.minor,
        )
        self._ask(Point.BEFORE_OPERATION, context, work, partial(_wished, done, "review"))

    def on_error(self, work: Work, settled: Settled, done: Done) -> None:
        """Ask hooks what they would do about a call that went wrong."""
        answered = settled.answered
        said = answered.outcome
        context = OperationError(
            payment=_facts(work, None),
            operation=answered.operation.value,
            gateway=answered.gateway,
            number=answered.number,
            outcome=_OUTCOMES[answered.status],
            code=said.code or (said.kind.value.lower() if said.kind else "no_answer"),
            attempts=len({attempt.number for attempt in work.attempts}),
            next=_next(settled),
        )
        self._ask(Point.ON_ERROR, context, work, partial(_wished, done, "nothing"))

    def _ask(self, point: Point, context: Any, work: Work, done: Callable[[tuple[Said, ...]], None]) -> None:
        within_s = max(0.0, _until_s(work, _AROUND_A_CALL_S) - clock_s())
        self._hooks.begin(point, context, done, within_s=within_s)

    def _found_by_rules(self, due: Sequence[Due]) -> list[tuple[Finding, ...]]:
        asked = [Asked(one.work.payment, one.work.job.payer) for one in due]
        try:
            found = self._rules.screen(asked)
        except Exception as error:  # what they would have found may be what matters: a person looks
            log.exception("rules failed", payments=len(due))
            failed = Finding("rules", Action.REVIEW, failed=f"raised {type(error).__name__}")
            return [(failed,) for _ in due]
        return [
            tuple(kept(finding, private_texts(one.payer)) for finding in findings)
            for one, findings in zip(asked, found, strict=True)
        ]


class _Screening:
    """One payment that hooks are asked about, point by point; the hooks' own thread goes on with it."""

    def __init__(self, hooks: Hooks, due: Due, screening: Screening, until_s: float) -> None:
        self._hooks, self._due, self._until_s = hooks, due, until_s
        self._screening = screening
        self._private = private_texts(due.work.job.payer)
        self._points = [point for point in SCREENING if hooks.has(point)]

    def go_on(self) -> None:
        """Ask at the next point, or tell what came of it."""
        if not self._points or self._screening.action is Action.BLOCK:
            self._due.done(self._screening)
            return
        point = self._points.pop(0)
        within_s = max(0.0, self._until_s - clock_s())
        self._hooks.begin(point, self._context(point), partial(self._answered, point), within_s=within_s)

    def _context(self, point: Point) -> Enriching | FraudCheck | Routing:
        work = self._due.work
        facts = _facts(work, self._screening)
        if point is Point.ENRICH:
            return Enriching(facts)
        if point is Point.ROUTE:
            return Routing(facts, self._due.gateways, self._screening.facts)
        payer = {} if work.job.payer is None else work.job.payer.details
        return FraudCheck(facts, work.payment.customer, payer)

    def _answered(self, point: Point, said: tuple[Said, ...]) -> None:
        try:
            self._screening = self._with(point, said)
            self.go_on()
        except BaseException as error:
            self._due.done(error)

    def _with(self, point: Point, said: tuple[Said, ...]) -> Screening:
        if point is Point.ENRICH:
            return enriched(self._screening, self._due.work.payment, said)
        if point is Point.FRAUD_CHECK:
            return checked(self._screening, said, self._private)
        return routed_by(self._screening, said)


def _until_s(work: Work, longest_s: float) -> float:
    now_s = clock_s()
    return now_s + min(longest_s, max(0.0, work.held_until_s - now_s) / _OF_THE_LEASE)


def _facts(work: Work, screening: Screening | None) -> PaymentFacts:
    """The payment as hooks are shown it, with what enrichment has added by now."""
    job = work.job
    created_at = datetime.fromtimestamp(job.made_at_s + job.since_1970_s, UTC)
    facts = facts_of(work.payment, created_at)
    if screening is None or not screening.metadata:
        return facts
    return replace(facts, metadata={**screening.metadata, **facts.metadata})


def _operation(work: Work) -> str:
    return "charge" if work.job.operation in ("process", "sync") else work.job.operation


def _next(settled: Settled) -> str:
    """What happens if no hook asks for something else."""
    step = settled.then
    if isinstance(step, Send):
        return f"{step.opened.operation} at {step.opened.gateway}"
    if isinstance(step, Rest):
        return step.job.status if step.job.reason is None else f"{step.job.status}: {step.job.reason}"
    return "the gateway is asked"


def _wished(done: Done, if_closed: str, said: tuple[Said, ...]) -> None:
    try:
        wishes = wishes_of(said, if_closed)
    except BaseException as error:
        done(error)
    else:
        done(wishes)
