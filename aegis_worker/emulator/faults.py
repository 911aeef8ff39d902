"""Faults of a whole instance, set while it runs by `POST /_sandbox/faults`. They end with the process."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from .script_table import OK
from .scripts import MOVING, Script
from .tokens import named, on

# Longer than any client waits, short enough that a forgotten fault cannot park threads for ever.
MOST_LATENCY_MS = 120_000
MOST_S = 3600


# By fault: what it may be, and what it does.
MEANS = {
    "latency_ms": (
        f"0 to {MOST_LATENCY_MS}",
        "every answer of the API comes so much later; the work is done at once",
    ),
    "status_down": ("true, false", "look-ups answer 503"),
    "status_lag_s": (f"0 to {MOST_S}", "look-ups find a payment only so long after its charge"),
    "fail_share": ("0 to 1", "this share of the charges that nothing else claims behaves like `fail_script`"),
    "fail_script": ("a script", "such as `late_commit_20`, with which each commits 20 s late"),
    "seed": ("a whole number", "from which the share is drawn"),
    "retry_after_s": (f"0 to {MOST_S}", "above 0, every POST answers 429 with this Retry-After"),
    "movement_script": (
        "a script",
        "what captures and refunds that nothing else claims behave like, such as `pending_2`",
    ),
    "refuse_all": ("true, false", "everything answers 503, and nothing is done"),
}


@dataclass(frozen=True, slots=True)
class Faults:
    """Each call sets the whole set; what it leaves out is off. MEANS says what each does."""

    latency_ms: int = 0
    status_down: bool = False
    status_lag_s: int = 0
    fail_share: float = 0.0
    fail_script: str = "500_nocharge"
    seed: int = 0
    retry_after_s: int = 0
    movement_script: str = "ok"
    refuse_all: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value, plain = getattr(self, field.name), type(field.default)
            wanted = (int, float) if plain is float else (plain,)
            if type(value) not in wanted:
                raise ValueError(f"{field.name}: expected {plain.__name__}")
        _within("latency_ms", self.latency_ms, MOST_LATENCY_MS)
        _within("status_lag_s", self.status_lag_s, MOST_S)
        _within("retry_after_s", self.retry_after_s, MOST_S)
        _within("fail_share", self.fail_share, 1)
        named(self.fail_script)
        for operation in MOVING:
            on(named(self.movement_script), operation)


def _within(name: str, value: float, most: float) -> None:
    if not 0 <= value <= most:
        raise ValueError(f"{name}: expected 0 to {most}")


class FaultSwitch:
    """The faults in force and the seeded draw that belongs to them. Safe from several threads."""

    usual: Mapping[str, Any] = asdict(Faults())

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.set({})

    def set(self, wanted: Mapping[str, Any]) -> None:
        """Replace the faults. Raises ValueError for an unknown name, type, bound or script."""
        unknown = set(wanted) - {field.name for field in fields(Faults)}
        if unknown:
            there = ", ".join(MEANS)
            raise ValueError(f"unknown fault: {', '.join(sorted(unknown))}; there are {there}")
        faults = Faults(**wanted)
        with self._lock:
            self.now, self._draw = faults, random.Random(faults.seed)

    def script_for_plain_charge(self) -> Script:
        """OK, or the fail script for the share that fails; the same seed gives the same sequence."""
        if not self.now.fail_share:
            return OK
        with self._lock:
            return named(self.now.fail_script) if self._draw.random() < self.now.fail_share else OK

    def script_for_plain_movement(self, operation: str) -> Script:
        """What a capture or refund that no script claims behaves like."""
        return on(named(self.now.movement_script), operation)

    def as_dict(self) -> dict[str, Any]:
        """The faults in force, as they would be posted."""
        return asdict(self.now)
