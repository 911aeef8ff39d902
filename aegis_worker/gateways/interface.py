"""All that an adapter of another package is written with, in one place.

These names keep their meaning as long as `INTERFACE` is the same; anything else of AegisPay may change with any version.

    from aegis_worker.gateways import interface as aegis
"""

from __future__ import annotations

from aegis_worker.domain.actions import Qr, Redirect, Sdk
from aegis_worker.domain.disputes import DisputeLookup, DisputeReport
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    Movement,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.errors import ConfigurationError, InvalidWebhook

from .base import INTERFACE, Adapter, GatewayEvent
from .capabilities import Capabilities
from .config import GatewayConfig
from .kit.allow_list import AllowList, below
from .kit.amounts import ISO_AMOUNTS, AmountNotTaken, Amounts
from .kit.flows import Flow, HttpAnswer, HttpCall, NoAnswer, Recall, recalled
from .kit.identity import EVERYTHING, Carries, Declared, Expected, Shown, about_another, mismatch, other_money
from .kit.probing import Probed, probed
from .kit.reading import (
    Unreadable,
    address,
    child,
    children,
    currency,
    identifier,
    minor_units,
    moment_s,
    one_of,
    parsed,
    words,
)
from .kit.signatures import check_timed_signature, is_recent, is_signed
from .requests import DisputeQuery, GatewayRequest, StatusQuery
from .whole_payments import (
    CHANGE_STATUSES,
    STATUSES,
    WHOLE_PAYMENTS,
    Change,
    Translation,
    WholePayment,
)

__all__ = [
    "CHANGE_STATUSES",
    "EVERYTHING",
    "INTERFACE",
    "ISO_AMOUNTS",
    "STATUSES",
    "WHOLE_PAYMENTS",
    "ActionRequired",
    "Adapter",
    "AllowList",
    "AmountNotTaken",
    "Amounts",
    "Approved",
    "Capabilities",
    "Carries",
    "Change",
    "ConfigurationError",
    "Declared",
    "Declined",
    "DisputeLookup",
    "DisputeQuery",
    "DisputeReport",
    "Expected",
    "Flow",
    "GatewayConfig",
    "GatewayEvent",
    "GatewayRequest",
    "HttpAnswer",
    "HttpCall",
    "InvalidWebhook",
    "Lookup",
    "Money",
    "Movement",
    "NoAnswer",
    "NotFound",
    "NotSent",
    "Operation",
    "Outcome",
    "Pending",
    "Probed",
    "Qr",
    "Recall",
    "Redirect",
    "Sdk",
    "Shown",
    "StatusQuery",
    "Translation",
    "Unknown",
    "UnknownKind",
    "Unreadable",
    "WholePayment",
    "about_another",
    "address",
    "below",
    "check_timed_signature",
    "child",
    "children",
    "currency",
    "identifier",
    "is_recent",
    "is_signed",
    "minor_units",
    "mismatch",
    "moment_s",
    "one_of",
    "other_money",
    "parsed",
    "probed",
    "recalled",
    "words",
]
