"""When which fault strikes, and for how long. Pure: the same seed gives the same schedule."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_worker.crash_points import POINTS

# The pause between two faults of a lane: long enough to recover a little, and sometimes too short to recover wholly.
_SHORTEST_GAP_S, _LONGEST_GAP_S = 2.0, 8.0
# All faults end at least this long before the run does.
_QUIET_END_S = 5.0
_MOST_PASSES = 3

# Faults of ours and how long they last, from and to, in seconds; a lease more where it says so.
OURS: dict[str, tuple[float, float]] = {
    "kill a pool child": (0, 0),
    "kill the worker": (0, 5),
    "kill the API": (0, 4),
    "kill beat": (0, 6),
    "freeze the worker past its lease": (1, 4),
    "stop Redis": (1, 8),
    "kill Redis": (1, 8),
    "flush Redis": (0, 0),
    "stop PostgreSQL at once": (0, 5),
    "crash point": (3, 7),
}
_A_LEASE_MORE = {"freeze the worker past its lease"}

# Of one gateway: what is posted to its fault switch. None: the process is killed, so that connections are refused.
# Look-ups lag behind by less than the absence window (2 s here), and work is done at once: that is its promise.
_GATEWAYS: dict[str, Mapping[str, Any] | None] = {
    "gateway: refuses connections": None,
    "gateway: answers after our timeout": {"latency_ms": 3500},
    "gateway: is slow": {"latency_ms": 700},
    "gateway: charges and drops": {"fail_share": 0.6, "fail_script": "drop"},
    "gateway: drops without a charge": {"fail_share": 0.6, "fail_script": "drop_nocharge"},
    "gateway: charges and answers 500": {"fail_share": 0.6, "fail_script": "500"},
    "gateway: answers 500": {"fail_share": 0.6, "fail_script": "500_nocharge"},
    "gateway: talks nonsense": {"fail_share": 0.6, "fail_script": "garbage"},
    "gateway: look-ups are down": {"status_down": True, "fail_share": 0.3, "fail_script": "drop"},
    "gateway: look-ups lag": {"status_lag_s": 1, "fail_share": 0.3, "fail_script": "drop"},
    "gateway: 429": {"retry_after_s": 1},
    "gateway: 503 to everything": {"refuse_all": True},
    "gateway: its webhooks are late": {"fail_share": 0.8, "fail_script": "webhook_late_4"},
    "gateway: its webhooks are repeated": {"fail_share": 0.8, "fail_script": "webhook_repeated"},
    "gateway: its webhooks are reordered": {"fail_share": 0.8, "fail_script": "webhook_reordered_4"},
    "gateway: its webhooks are lost": {"fail_share": 0.8, "fail_script": "webhook_lost"},
}
# What a gateway tells and can't be asked may come late and in any order, but it has to come.
_OF_THOSE_THAT_ARE_ASKED = {"gateway: its webhooks are lost"}
_SHORTEST_GATEWAY_FAULT_S, _LONGEST_GATEWAY_FAULT_S = 3.0, 10.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; seconds from the beginning. `target`: a gateway, or POINT:N."""

    at_s: float
    kind: str
    lasts_s: float
    target: str = ""

    @property
    def ends_s(self) -> float:
        """When it is healed."""
        return self.at_s + self.lasts_s

    @property
    def switch(self) -> Mapping[str, Any] | None:
        """What a gateway's fault switch is set to; None where none is."""
        return _GATEWAYS.get(self.kind)

    @property
    def is_gateways(self) -> bool:
        """Whether it strikes a gateway and not us."""
        return self.kind in _GATEWAYS


def schedule(
    seed: int, seconds: float, *, gateways: Sequence[str], asked: Sequence[str], lease_s: float
) -> list[Fault]:
    """Faults for so long, by the time at which they begin. Those of one lane (ours, a gateway's) never overlap.

    `asked`: those of the gateways that can be asked what became of a call.
    """
    rng = random.Random(seed)
    kinds = [kind for kind in _GATEWAYS if asked or kind not in _OF_THOSE_THAT_ARE_ASKED]
    ours = _lane(rng, seconds, list(OURS), lambda kind: _ours(rng, kind, lease_s))
    theirs = _lane(
        rng,
        seconds,
        kinds,
        lambda kind: _gateways(rng, asked if kind in _OF_THOSE_THAT_ARE_ASKED else gateways),
    )
    return sorted([*ours, *theirs], key=lambda fault: (fault.at_s, fault.kind))


def _lane(rng: random.Random, seconds: float, kinds: Sequence[str], draw: Any) -> list[Fault]:
    faults: list[Fault] = []
    deck: list[str] = []
    at_s = rng.uniform(_SHORTEST_GAP_S, _LONGEST_GAP_S)
    while True:
        if not deck:  # every kind once before any comes again
            deck = rng.sample(kinds, len(kinds))
        kind = deck.pop()
        lasts_s, target = draw(kind)
        if at_s + lasts_s > seconds - _QUIET_END_S:
            return faults
        faults.append(Fault(round(at_s, 1), kind, round(lasts_s, 1), target))
        at_s += lasts_s + rng.uniform(_SHORTEST_GAP_S, _LONGEST_GAP_S)


def _ours(rng: random.Random, kind: str, lease_s: float) -> tuple[float, str]:
    shortest_s, longest_s = OURS[kind]
    lasts_s = rng.uniform(shortest_s, longest_s) + (lease_s if kind in _A_LEASE_MORE else 0.0)
    target = f"{rng.choice(list(POINTS))}:{rng.randint(1, _MOST_PASSES)}" if kind == "crash point" else ""
    return lasts_s, target


def _gateways(rng: random.Random, gateways: Sequence[str]) -> tuple[float, str]:
    return rng.uniform(_SHORTEST_GATEWAY_FAULT_S, _LONGEST_GATEWAY_FAULT_S), rng.choice(gateways)
