"""The configurations that are explored unless another is given, by name."""

from __future__ import annotations

from aegis_worker.domain.outcomes import Operation
from aegis_worker.pipeline.work import Policy

from . import charge as _charge  # noqa: F401
from .setups import Configuration, GatewaySetup, able

POLICY = Policy(
    max_attempts=3,
    verify_ladder_s=(10.0, 30.0, 60.0, 120.0, 300.0),
    poison_cap=5,
    payer_wait_s=90.0,
)
_P = (Operation.PROCESS,)
_IAP = (Operation.INITIATE, Operation.AUTHENTICATE, Operation.PROCESS)
_B = GatewaySetup("b", able(*_P))


def _of_charge(name: str, about: str, first: GatewaySetup) -> Configuration:
    return Configuration(name, about, "charge", (first, _B), POLICY)


CONFIGURATIONS = {
    one.name: one
    for one in (
        _of_charge("one-step", "a in one step, with keys", GatewaySetup("a", able(*_P))),
        _of_charge("no-keys", "a in one step, without keys", GatewaySetup("a", able(*_P, keys_s=0))),
        _of_charge("three-steps", "a in three steps, with keys", GatewaySetup("a", able(*_IAP))),
        _of_charge(
            "lagging", "a in one step, whose look-ups lag", GatewaySetup("a", able(*_P), look_ups="lagging")
        ),
    )
}
