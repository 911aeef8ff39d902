"""What the sandbox gateway can be told to do: one scripted behaviour, and the words that it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

OPERATIONS = ("create", "authenticate", "charge", "confirm", "capture", "void", "refund", "close")
MOVING = frozenset({"capture", "refund"})


class Effect(StrEnum):
    """What happens to the money."""

    APPROVE = "approve"
    DECLINE = "decline"
    PENDING = "pending"
    # Done, and later undone: captures and refunds.
    TAKE_BACK = "take_back"
    NOTHING = "nothing"


class Wire(StrEnum):
    """What the caller gets to see of it."""

    ANSWER = "answer"
    DROP = "drop"
    ERROR = "error"
    GARBAGE = "garbage"
    RATE_LIMIT = "rate_limit"


@dataclass(frozen=True, slots=True)
class Script:
    """One scripted behaviour.

    `takes` names the field that a number at the end of the token replaces, up to `most`: `tok_pending_10` has
    `settle_s=10`. `in_frontend`: the payer acts there, and has `payer_s` seconds; `then` is for the confirm. `dispute`: as
    what the payer's bank opens one once the money is taken; it ends as `dispute_ends` after `dispute_s` seconds. `hold_s`:
    so long funds are held under manual capture.
    """

    name: str
    meaning: str
    amount_suffix: int
    effect: Effect = Effect.APPROVE
    wire: Wire = Wire.ANSWER
    code: str = ""
    takes: str = ""
    most: int = 120
    answer_after_ms: int = 0
    settle_s: int = 0
    commit_after_s: int = 0
    hidden_s: int = 0
    down_s: int = 0
    payer_must_act: bool = False
    payer_s: int = 0
    in_frontend: bool = False
    then: Script | None = None
    retry_after_s: int = 0
    dispute: str = ""
    dispute_reason: str = "fraudulent"
    dispute_ends: str = ""
    dispute_s: int = 0
    hold_s: int = 604_800
    once: bool = False
    acts_on: frozenset[str] = frozenset({"charge"})

    @property
    def range(self) -> str:
        """What N may be, in words; empty where it takes none."""
        unit = "milliseconds" if self.takes.endswith("_ms") else "seconds"
        return f"0 to {self.most} {unit}" if self.takes else ""

    def fits(self, operation: str) -> bool:
        """Whether `_on_<operation>` may be given: not every operation can end later."""
        if self.payer_must_act or self.commit_after_s > 0:
            return False
        ends_later = self.effect in (Effect.PENDING, Effect.TAKE_BACK)
        return operation in MOVING if ends_later else operation in OPERATIONS
