"""The configurations that are explored unless another is given, by name. Gateway b takes the payment where a does not."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from aegis_worker.domain.outcomes import Operation
from aegis_worker.pipeline.work import Policy

from . import charge as _charge  # noqa: F401
from . import mixing as _mixing  # noqa: F401
from .configurations_of_disputes import of_disputes
from .configurations_of_ends import of_ends
from .configurations_of_lives import of_lives
from .configurations_of_orders import of_orders
from .setups import LONG_S, TERMS, Configuration, GatewaySetup, able

# A ladder that ends within a lookable time and outlives the window in which absence is proved, and the keys.
POLICY = Policy(
    max_attempts=3,
    verify_ladder_s=(10.0, 30.0, 60.0, 120.0, 300.0),
    poison_cap=5,
    payer_wait_s=90.0,
)
_I, _A, _P = Operation.INITIATE, Operation.AUTHENTICATE, Operation.PROCESS
_B = GatewaySetup("b", able(_P))


def _charges(name: str, about: str, first: GatewaySetup, **options: bool) -> Configuration:
    return Configuration(name, about, "charge", (first, _B), POLICY, options=options)


def _held(configuration: Configuration) -> Configuration:
    return replace(configuration, terms=replace(TERMS, capture_method="manual"))


_OF_CHARGE = (
    _charges("one-step", "one step, with keys", GatewaySetup("a", able(_P))),
    _charges("no-keys", "one step, without keys", GatewaySetup("a", able(_P, keys_s=0))),
    _charges("two-steps", "two steps, with keys", GatewaySetup("a", able(_I, _P))),
    _charges("two-steps-no-keys", "two steps, without keys", GatewaySetup("a", able(_I, _P, keys_s=0))),
    _charges("three-steps", "three steps, with keys", GatewaySetup("a", able(_I, _A, _P))),
    _charges(
        "three-steps-no-keys", "three steps, without keys", GatewaySetup("a", able(_I, _A, _P, keys_s=0))
    ),
    _charges("lagging", "one step; look-ups lag", GatewaySetup("a", able(_P), look_ups="lagging")),
    _charges(
        "lagging-no-keys",
        "one step, without keys; look-ups lag",
        GatewaySetup("a", able(_P, keys_s=0), look_ups="lagging"),
    ),
    _charges("lagging-steps", "two steps; look-ups lag", GatewaySetup("a", able(_I, _P), look_ups="lagging")),
    _charges(
        "no-look-ups",
        "one step; can't be asked, tells by events",
        GatewaySetup("a", able(_P, look_ups=False)),
    ),
    _charges(
        "no-look-ups-no-keys",
        "one step, without keys; can't be asked",
        GatewaySetup("a", able(_P, keys_s=0, look_ups=False)),
    ),
    _charges(
        "never-absent",
        "one step; look-ups lag for longer than the ladder lasts, so absence is not proved",
        GatewaySetup("a", able(_P, window_s=LONG_S), look_ups="lagging"),
    ),
    _charges(
        "decides-later",
        "one step; may leave a charge pending",
        GatewaySetup("a", able(_P), decides_later=True),
    ),
    _charges("payer", "one step; may send the payer away", GatewaySetup("a", able(_P), payer=True)),
    _charges(
        "two-steps-no-close",
        "two steps; nothing can be cancelled there",
        GatewaySetup("a", able(_I, _P, closes=False)),
    ),
    _charges(
        "payer-steps", "two steps; may send the payer away", GatewaySetup("a", able(_I, _P), payer=True)
    ),
    _charges("cancelled", "two steps; the merchant may cancel", GatewaySetup("a", able(_I, _P)), cancel=True),
    _charges(
        "told",
        "one step; decides later, and tells by events at any time",
        GatewaySetup("a", able(_P), decides_later=True),
        events=True,
    ),
    _charges(
        "told-steps",
        "two steps; look-ups lag, and events come at any time",
        GatewaySetup("a", able(_I, _P), look_ups="lagging"),
        events=True,
    ),
    _charges(
        "told-payer",
        "one step; may send the payer away, and tells by events at any time",
        GatewaySetup("a", able(_P), payer=True),
        events=True,
    ),
    _charges(
        "told-only",
        "one step; can't be asked: only events tell, at any time or never",
        GatewaySetup("a", able(_P, look_ups=False), look_ups="none"),
        events=True,
    ),
    _charges(
        "mixed-up",
        "one step; its answers may be another payment's",
        GatewaySetup("a", able(_P), mixes_up=True),
    ),
    _charges(
        "mixed-up-no-keys",
        "one step, without keys; its answers may be another payment's",
        GatewaySetup("a", able(_P, keys_s=0), mixes_up=True),
    ),
    _charges(
        "confirm",
        "one step; sends the payer away, who brings something back",
        GatewaySetup("a", able(_P), payer=True),
        confirm=True,
    ),
    _charges(
        "confirm-lagging",
        "likewise; look-ups lag",
        GatewaySetup("a", able(_P), payer=True, look_ups="lagging"),
        confirm=True,
    ),
    _charges(
        "confirm-no-keys",
        "likewise, without keys",
        GatewaySetup("a", able(_P, keys_s=0), payer=True),
        confirm=True,
    ),
    _charges(
        "confirm-cancel",
        "likewise; the merchant may cancel",
        GatewaySetup("a", able(_P), payer=True),
        confirm=True,
        cancel=True,
    ),
    _charges(
        "late-close",
        "one step; may send the payer away; closing the door may be late, or be answered with an error",
        GatewaySetup("a", able(_P), payer=True, closes_late=True),
    ),
    _charges(
        "late-close-no-keys",
        "likewise, without keys",
        GatewaySetup("a", able(_P, keys_s=0), payer=True, closes_late=True),
    ),
    _charges(
        "late-close-lagging",
        "likewise, with keys; look-ups lag",
        GatewaySetup("a", able(_P), payer=True, closes_late=True, look_ups="lagging"),
    ),
    _charges(
        "late-close-cancel",
        "likewise, with prompt look-ups; the merchant may cancel",
        GatewaySetup("a", able(_P), payer=True, closes_late=True),
        cancel=True,
    ),
    _held(_charges("held", "one step, funds are held", GatewaySetup("a", able(_P)))),
    _held(
        _charges(
            "held-no-keys", "one step, without keys, funds are held", GatewaySetup("a", able(_P, keys_s=0))
        )
    ),
)
CONFIGURATIONS: Mapping[str, Configuration] = {
    one.name: one
    for one in (*_OF_CHARGE, *of_orders(POLICY), *of_ends(POLICY), *of_lives(POLICY), *of_disputes(POLICY))
}
