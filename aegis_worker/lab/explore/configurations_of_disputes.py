"""The configurations of disputes: a payer's bank questions a charge that was taken, at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as replace_able

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.outcomes import Operation
from aegis_worker.pipeline.work import Policy

from . import life as _life  # noqa: F401
from .rows_orders import Wanted
from .setups import Configuration, GatewaySetup, able

_KEYS = GatewaySetup("a", able(Operation.PROCESS))
_SETTLES = GatewaySetup("a", replace_able(able(Operation.PROCESS), refunds_when_settled=True))
_PART = 700
_REFUND, _FORCED = Wanted(EntityKind.REFUND, _PART), Wanted(EntityKind.REFUND, _PART, forced=True)
_DISPUTED: Mapping[str, bool] = {"disputes": True}

_OF_DISPUTES: tuple[tuple[str, str, str, GatewaySetup, tuple[Wanted, ...], Mapping[str, bool]], ...] = (
    ("dispute", "a charge is disputed", "orders", _KEYS, (), _DISPUTED),
    ("dispute-warned", "its bank warns before", "orders", _KEYS, (), {**_DISPUTED, "warning": True}),
    ("dispute-refund", "a part is refunded, at any time", "orders", _KEYS, (_REFUND,), _DISPUTED),
    ("dispute-forced", "a refund is forced, at any time", "orders", _KEYS, (_FORCED,), _DISPUTED),
    (
        "dispute-waits",
        "a part is refunded once it is settled, and disputed meanwhile",
        "orders",
        _SETTLES,
        (_REFUND,),
        _DISPUTED,
    ),
    ("dispute-charge", "one step; disputed as soon as it is charged", "life", _KEYS, (), _DISPUTED),
)


def of_disputes(policy: Policy) -> tuple[Configuration, ...]:
    """Each of them, under this policy."""
    return tuple(
        Configuration(name, about, operation, (gateway,), policy, orders=orders, options=options)
        for name, about, operation, gateway, orders, options in _OF_DISPUTES
    )
