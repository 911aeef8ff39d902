"""The configurations of what a gateway does with a charge by itself: a hold that ends, and a charge that is settled."""

from __future__ import annotations

from dataclasses import replace as replace_able

from msgspec.structs import replace

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.pipeline.work import Policy

from . import orders as _orders  # noqa: F401
from .rows_orders import Wanted
from .setups import TERMS, Configuration, GatewaySetup, able

_I, _P = Operation.INITIATE, Operation.PROCESS
_B = GatewaySetup("b", able(_P))
_HELD = replace(TERMS, capture_method="manual")
_CAPTURE, _VOID, _REFUND = EntityKind.CAPTURE, EntityKind.VOID, EntityKind.REFUND
_PART = 700
# An hour: its merchant is warned at once, and once only.
_HOLD_S, _RELEASE_BEFORE_S = 3600.0, 1800.0


_HOLDS = replace_able(able(_P), hold_s=_HOLD_S)
_KEYS = GatewaySetup("a", _HOLDS)
_DECIDES = GatewaySetup("a", _HOLDS, decides_later=True)
_NO_KEYS = GatewaySetup("a", replace_able(able(_P, keys_s=0), hold_s=_HOLD_S))
_LAGS = GatewaySetup("a", _HOLDS, look_ups="lagging")
_TOLD = GatewaySetup("a", replace_able(able(_P, look_ups=False), hold_s=_HOLD_S), look_ups="none")
_SETTLES = GatewaySetup("a", replace_able(able(_P), refunds_when_settled=True))
_VOIDS = GatewaySetup("a", replace_able(able(_P), refunds_when_settled=True, voids_what_is_not_settled=True))

_OF_HOLDS: tuple[tuple[str, str, GatewaySetup, tuple[Wanted, ...]], ...] = (
    ("hold-ends", "a hold ends by itself", _KEYS, ()),
    ("hold-ends-capture", "a hold ends by itself, or is captured before", _KEYS, (Wanted(_CAPTURE),)),
    (
        "hold-ends-part",
        "a part of a hold is captured, which is decided later; the rest ends by itself",
        _DECIDES,
        (Wanted(_CAPTURE, _PART),),
    ),
    ("hold-ends-void", "a hold ends by itself, or is voided before", _KEYS, (Wanted(_VOID),)),
    ("hold-ends-no-keys", "likewise captured without keys", _NO_KEYS, (Wanted(_CAPTURE),)),
    ("hold-ends-lagging", "likewise captured; look-ups lag", _LAGS, (Wanted(_CAPTURE),)),
)
_OF_SETTLING: tuple[tuple[str, str, GatewaySetup, tuple[Wanted, ...]], ...] = (
    ("refund-waits", "a part is refunded, once it is settled", _SETTLES, (Wanted(_REFUND, _PART),)),
    (
        "refunds-wait",
        "two parts are refunded, once it is settled",
        _SETTLES,
        (Wanted(_REFUND, _PART), Wanted(_REFUND)),
    ),
    ("refund-voids", "all is refunded: by a void before it is settled", _VOIDS, (Wanted(_REFUND),)),
)


# With its gateway's events at any time.
_WITH_EVENTS: tuple[tuple[str, str, GatewaySetup, tuple[Wanted, ...]], ...] = (
    ("hold-ends-told", "a hold ends by itself; events tell of it at any time", _KEYS, ()),
    (
        "hold-ends-capture-told",
        "a hold ends by itself, or is captured before; events tell of it at any time",
        _KEYS,
        (Wanted(_CAPTURE),),
    ),
    (
        "refund-waits-told",
        "a part is refunded, once it is settled; events tell of it at any time",
        _SETTLES,
        (Wanted(_REFUND, _PART),),
    ),
)
# A payer is sent away, so the door is closed behind them.
_OF_DOORS: tuple[tuple[str, str, GatewaySetup, PaymentTerms], ...] = (
    (
        "payer-lagging",
        "one step; may send the payer away; look-ups lag",
        GatewaySetup("a", able(_P), "lagging", True),
        TERMS,
    ),
    (
        "payer-no-keys",
        "one step, without keys; may send the payer away",
        GatewaySetup("a", able(_P, keys_s=0), payer=True),
        TERMS,
    ),
    (
        "payer-steps-lagging",
        "two steps; may send the payer away; look-ups lag",
        GatewaySetup("a", able(_I, _P), "lagging", True),
        TERMS,
    ),
    (
        "payer-held",
        "one step, funds are held; may send the payer away",
        GatewaySetup("a", able(_P), payer=True),
        _HELD,
    ),
)
# A setting of ours, off unless it is switched on.
_RELEASED = (
    "hold-released",
    "a hold is released by us half an hour before its end",
    _KEYS,
    (Wanted(_CAPTURE),),
)


def of_ends(policy: Policy) -> tuple[Configuration, ...]:
    """Each of them, under this policy."""
    return (
        *(_ordered(policy, *one) for one in (*_OF_HOLDS, *_OF_SETTLING)),
        *(replace(_ordered(policy, *one), options={"events": True}) for one in _WITH_EVENTS),
        *(
            Configuration(name, about, "charge", (gateway, _B), policy, terms=terms)
            for name, about, gateway, terms in _OF_DOORS
        ),
        replace(_ordered(policy, *_RELEASED), release_before_s=_RELEASE_BEFORE_S),
    )


def _ordered(
    policy: Policy, name: str, about: str, gateway: GatewaySetup, orders: tuple[Wanted, ...]
) -> Configuration:
    is_refund = any(one.kind is _REFUND for one in orders)
    terms = TERMS if is_refund else _HELD
    return Configuration(name, about, "orders", (gateway,), policy, terms=terms, orders=orders)
