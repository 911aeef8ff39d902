"""A hook at each point that does nothing, so that a bench shows what asking costs: `AEGIS_HOOKS` names this module."""

from __future__ import annotations

from aegis_worker.hooks import (
    BeforeAnswer,
    BeforeOperation,
    Customer,
    Enriching,
    Enrichment,
    ErrorAnswer,
    EventFacts,
    FraudAnswer,
    FraudCheck,
    Numbers,
    OperationEnded,
    OperationError,
    Problem,
    RawBody,
    Routing,
    Validating,
    hookimpl,
)


@hookimpl
def pre_validation(context: RawBody) -> list[Problem]:
    """Finds nothing wrong."""
    return []


@hookimpl
def post_validation(context: Validating) -> list[Problem]:
    """Finds nothing wrong."""
    return []


@hookimpl
def validate_payment(context: Validating) -> list[Problem]:
    """Finds nothing wrong."""
    return []


@hookimpl
def validate_customer(context: Customer) -> list[Problem]:
    """Finds nothing wrong."""
    return []


@hookimpl
def enrich(context: Enriching) -> Enrichment:
    """Adds nothing."""
    return Enrichment()


@hookimpl
def fraud_check(context: FraudCheck) -> FraudAnswer:
    """Allows it."""
    return FraudAnswer()


@hookimpl
def route(context: Routing) -> list[str]:
    """Names no gateway."""
    return []


@hookimpl
def before_operation(context: BeforeOperation) -> BeforeAnswer:
    """Lets the call go out."""
    return BeforeAnswer()


@hookimpl
def on_error(context: OperationError) -> ErrorAnswer:
    """Asks for nothing."""
    return ErrorAnswer()


@hookimpl
def after_operation(context: OperationEnded) -> None:
    """Takes note of nothing."""


@hookimpl
def listen(context: EventFacts) -> None:
    """Takes note of nothing."""


@hookimpl
def metrics(context: Numbers) -> None:
    """Takes note of nothing."""
