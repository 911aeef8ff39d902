"""The configurations of what a merchant orders of a charge. One gateway has charged the payment, or holds its funds."""

from __future__ import annotations

from msgspec.structs import replace

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.outcomes import Operation
from aegis_worker.pipeline.work import Policy

from . import orders as _orders  # noqa: F401
from .rows_orders import Wanted
from .setups import TERMS, Configuration, GatewaySetup, able

_P = Operation.PROCESS
_HELD = replace(TERMS, capture_method="manual")
_CAPTURE, _VOID, _REFUND = EntityKind.CAPTURE, EntityKind.VOID, EntityKind.REFUND
_KEYS = GatewaySetup("a", able(_P), decides_later=True)
_NO_KEYS = GatewaySetup("a", able(_P, keys_s=0))
_LAGS = GatewaySetup("a", able(_P), look_ups="lagging")
_MUTE = GatewaySetup("a", able(_P, look_ups=False))
_TOLD = GatewaySetup("a", able(_P, look_ups=False), look_ups="none")
_MIXED_UP = GatewaySetup("a", able(_P), mixes_up=True)
_PART = 700

_OF_ORDERS: tuple[tuple[str, str, GatewaySetup, tuple[Wanted, ...]], ...] = (
    ("captures", "a part is captured, then the rest", _KEYS, (Wanted(_CAPTURE, _PART), Wanted(_CAPTURE))),
    ("captures-no-keys", "likewise without keys", _NO_KEYS, (Wanted(_CAPTURE, _PART), Wanted(_CAPTURE))),
    ("capture-lagging", "a capture; look-ups lag", _LAGS, (Wanted(_CAPTURE),)),
    ("capture-mute", "a capture; can't be asked, tells by events", _MUTE, (Wanted(_CAPTURE),)),
    ("final-capture", "a part is captured, the rest released", _KEYS, (Wanted(_CAPTURE, _PART, final=True),)),
    ("void", "what is held is released", _KEYS, (Wanted(_VOID),)),
    (
        "capture-and-void",
        "a part is captured, the rest voided",
        _KEYS,
        (Wanted(_CAPTURE, _PART), Wanted(_VOID)),
    ),
    ("refunds", "a part is refunded, then the rest", _KEYS, (Wanted(_REFUND, _PART), Wanted(_REFUND))),
    ("refunds-no-keys", "likewise without keys", _NO_KEYS, (Wanted(_REFUND, _PART), Wanted(_REFUND))),
    ("refund-lagging", "a refund; look-ups lag", _LAGS, (Wanted(_REFUND),)),
    ("part-refund-lagging", "a part is refunded; look-ups lag", _LAGS, (Wanted(_REFUND, _PART),)),
    ("part-capture-lagging", "a part is captured; look-ups lag", _LAGS, (Wanted(_CAPTURE, _PART),)),
    ("capture-mixed-up", "a capture; answers may be another payment's", _MIXED_UP, (Wanted(_CAPTURE),)),
    ("refund-mixed-up", "a refund; answers may be another payment's", _MIXED_UP, (Wanted(_REFUND),)),
)
# With its gateway's events at any time.
_WITH_EVENTS: tuple[tuple[str, str, GatewaySetup, tuple[Wanted, ...]], ...] = (
    ("capture-told", "a capture; events tell of it at any time", _KEYS, (Wanted(_CAPTURE),)),
    (
        "refund-told",
        "a refund; events tell of it at any time, later too that it failed",
        _KEYS,
        (Wanted(_REFUND),),
    ),
    ("capture-told-only", "a capture; can't be asked: only events tell", _TOLD, (Wanted(_CAPTURE),)),
    ("refund-told-only", "a refund; can't be asked: only events tell", _TOLD, (Wanted(_REFUND),)),
)


def of_orders(policy: Policy) -> tuple[Configuration, ...]:
    """Each of them, under this policy."""
    return (
        *(_ordered(policy, *one) for one in _OF_ORDERS),
        *(replace(_ordered(policy, *one), options={"events": True}) for one in _WITH_EVENTS),
    )


def _ordered(
    policy: Policy, name: str, about: str, gateway: GatewaySetup, orders: tuple[Wanted, ...]
) -> Configuration:
    terms = TERMS if orders[0].kind is _REFUND else _HELD
    return Configuration(name, about, "orders", (gateway,), policy, terms=terms, orders=orders)
