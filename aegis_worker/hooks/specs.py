"""The hooks that a plug-in may implement, as pluggy specifications: one function a point, named after it.

    from aegis_worker.hooks import Action, FraudAnswer, FraudCheck, hookimpl

    @hookimpl
    def fraud_check(context: FraudCheck) -> FraudAnswer | None:
        if context.payment.amount_minor > 1_000_000:
            return FraudAnswer(Action.REVIEW, reason="a large amount", score=70)
        return None

A function of another name says which it is: `@hookimpl(specname="fraud_check")`. What each is shown stands in `contexts`,
what it may answer in `answers`; where it runs, for how long and what a failure means in `points`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pluggy import HookimplMarker, HookspecMarker

from .answers import BeforeAnswer, Enrichment, ErrorAnswer, FraudAnswer, Problem
from .contexts import (
    BeforeOperation,
    Customer,
    Enriching,
    EventFacts,
    FraudCheck,
    Numbers,
    OperationEnded,
    OperationError,
    RawBody,
    Routing,
    Validating,
)

PROJECT = "aegispay"

hookspec, hookimpl = HookspecMarker(PROJECT), HookimplMarker(PROJECT)


@hookspec
def pre_validation(context: RawBody) -> Sequence[Problem] | None:
    """Asked by the API before a request to pay is validated: what is wrong with its body."""


@hookspec
def post_validation(context: Validating) -> Sequence[Problem] | None:
    """Asked by the API when all fields are valid, before anything is written: what is wrong with the request."""


@hookspec
def validate_payment(context: Validating) -> Sequence[Problem] | None:
    """Asked by the API after post_validation: what is wrong with the payment, by rules of your own."""


@hookspec
def validate_customer(context: Customer) -> Sequence[Problem] | None:
    """Asked by the API after validate_payment: what is wrong with who pays, by rules of your own."""


@hookspec
def enrich(context: Enriching) -> Enrichment | None:
    """Asked by the worker before fraud_check: metadata and routing facts to add to the payment."""


@hookspec
def fraud_check(context: FraudCheck) -> FraudAnswer | None:
    """Asked by the worker before the first call to a gateway: what is to be done with the payment."""


@hookspec
def route(context: Routing) -> Sequence[str] | None:
    """Asked by the worker before rules and strategy order the gateways: names of gateways, best first."""


@hookspec
def before_operation(context: BeforeOperation) -> BeforeAnswer | None:
    """Asked by the worker before each operation at a gateway: whether it goes out now."""


@hookspec
def on_error(context: OperationError) -> ErrorAnswer | None:
    """Asked by the worker after a call that failed or whose outcome is unknown: what the hook would have done next."""


@hookspec
def after_operation(context: OperationEnded) -> None:
    """Told from the outbox, at least once, after each operation."""


@hookspec
def listen(context: EventFacts) -> None:
    """Told from the outbox, at least once, of each event. One that raises is told again later."""


@hookspec
def metrics(context: Numbers) -> None:
    """Told from the outbox, at least once, what a batch of events came to."""
