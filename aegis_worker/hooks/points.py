"""The points at which hooks are asked, in one table: what each is shown, what it may answer, and where it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from .answers import BeforeAnswer, Enrichment, ErrorAnswer, FraudAnswer, GatewayNames, Problems
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

Policy = Literal["closed", "open"]
"""What holds where a hook gives no answer. closed: what it guards does not happen; open: as if it had nothing to say."""


class Point(StrEnum):
    """A point at which hooks are asked; the value is the name of the hook's function."""

    VALIDATE_RAW = "pre_validation"
    VALIDATE = "post_validation"
    VALIDATE_PAYMENT = "validate_payment"
    VALIDATE_CUSTOMER = "validate_customer"
    ENRICH = "enrich"
    FRAUD_CHECK = "fraud_check"
    ROUTE = "route"
    BEFORE_OPERATION = "before_operation"
    AFTER_OPERATION = "after_operation"
    ON_ERROR = "on_error"
    LISTEN = "listen"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class About:
    """What holds for the hooks of a point.

    `answer`: the type of an answer that isn't None; None: nothing is looked at but whether it raised. `timeout_ms` and
    `policy` hold where config/hooks.toml says nothing else. `may_close`: whether the policy may be `closed`; what only
    looks on never fails a payment. `runs`: the process that asks; hooks run in processes of their own beside it.
    """

    context: type[Struct]
    answer: Any
    timeout_ms: int
    policy: Policy
    may_close: bool
    runs: Literal["api", "worker", "outbox"]


ABOUT: Mapping[Point, About] = MappingProxyType(
    {
        Point.VALIDATE_RAW: About(RawBody, Problems, 300, "closed", may_close=True, runs="api"),
        Point.VALIDATE: About(Validating, Problems, 300, "closed", may_close=True, runs="api"),
        Point.VALIDATE_PAYMENT: About(Validating, Problems, 300, "closed", may_close=True, runs="api"),
        Point.VALIDATE_CUSTOMER: About(Customer, Problems, 300, "closed", may_close=True, runs="api"),
        Point.ENRICH: About(Enriching, Enrichment, 300, "open", may_close=True, runs="worker"),
        Point.FRAUD_CHECK: About(FraudCheck, FraudAnswer, 500, "closed", may_close=True, runs="worker"),
        Point.ROUTE: About(Routing, GatewayNames, 100, "open", may_close=False, runs="worker"),
        Point.BEFORE_OPERATION: About(
            BeforeOperation, BeforeAnswer, 200, "open", may_close=True, runs="worker"
        ),
        Point.ON_ERROR: About(OperationError, ErrorAnswer, 300, "open", may_close=False, runs="worker"),
        Point.AFTER_OPERATION: About(OperationEnded, None, 2000, "open", may_close=False, runs="outbox"),
        Point.LISTEN: About(EventFacts, None, 5000, "open", may_close=False, runs="outbox"),
        Point.METRICS: About(Numbers, None, 1000, "open", may_close=False, runs="outbox"),
    }
)
