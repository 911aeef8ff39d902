"""Hooks: code of an installation's own that is asked at the points of `points`, in processes of its own.

What a plug-in needs is offered here; how it is written stands in docs/howto/write-a-hook.md.
"""

from aegis_worker.domain.screening import Action

from .answers import BeforeAnswer, Enrichment, ErrorAnswer, FraudAnswer, Problem
from .asking import NO_HOOKS, Hooks, Said
from .contexts import (
    BeforeOperation,
    CardFacts,
    Count,
    Customer,
    Enriching,
    EventFacts,
    FraudCheck,
    GatewayFacts,
    Numbers,
    OperationEnded,
    OperationError,
    PaymentFacts,
    RawBody,
    Routing,
    Validating,
)
from .points import Point
from .specs import hookimpl

__all__ = [
    "NO_HOOKS",
    "Action",
    "BeforeAnswer",
    "BeforeOperation",
    "CardFacts",
    "Count",
    "Customer",
    "Enriching",
    "Enrichment",
    "ErrorAnswer",
    "EventFacts",
    "FraudAnswer",
    "FraudCheck",
    "GatewayFacts",
    "Hooks",
    "Numbers",
    "OperationEnded",
    "OperationError",
    "PaymentFacts",
    "Point",
    "Problem",
    "RawBody",
    "Routing",
    "Said",
    "Validating",
    "hookimpl",
]
