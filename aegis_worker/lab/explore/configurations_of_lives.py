"""The configurations of whole lives: funds are held, and the merchant cancels or captures at any time, in every order."""

from __future__ import annotations

from msgspec.structs import replace

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.outcomes import Operation
from aegis_worker.pipeline.work import Policy

from . import life as _life  # noqa: F401
from .rows_orders import Wanted
from .setups import TERMS, Configuration, GatewaySetup, able

_I, _P = Operation.INITIATE, Operation.PROCESS
_HELD = replace(TERMS, capture_method="manual")
_CAPTURE, _VOID = EntityKind.CAPTURE, EntityKind.VOID
_PART = 700
_KEYS, _B = GatewaySetup("a", able(_P)), GatewaySetup("b", able(_P))
_CANCEL, _BOTH = (Wanted(_VOID),), (Wanted(_CAPTURE, _PART), Wanted(_VOID))

_OF_LIVES: tuple[tuple[str, str, tuple[GatewaySetup, ...], tuple[Wanted, ...]], ...] = (
    ("cancel", "funds are held; a cancel at any time", (_KEYS, _B), _CANCEL),
    (
        "cancel-steps",
        "two steps, funds are held; a cancel at any time",
        (GatewaySetup("a", able(_I, _P)), _B),
        _CANCEL,
    ),
    ("cancel-no-keys", "likewise without keys", (GatewaySetup("a", able(_P, keys_s=0)),), _CANCEL),
    ("cancel-lagging", "likewise; look-ups lag", (GatewaySetup("a", able(_P), look_ups="lagging"),), _CANCEL),
    ("cancel-capture", "a cancel and a capture of a part, at any time", (_KEYS,), _BOTH),
)


def of_lives(policy: Policy) -> tuple[Configuration, ...]:
    """Each of them, under this policy."""
    return tuple(
        Configuration(name, about, "life", gateways, policy, terms=_HELD, orders=orders)
        for name, about, gateways, orders in _OF_LIVES
    )
