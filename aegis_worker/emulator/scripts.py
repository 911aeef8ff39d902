"""What a gateway can be told to do: one scripted behaviour, and the words that it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

OPERATIONS = ("create", "authenticate", "charge", "confirm", "capture", "void", "refund", "close", "look_up")
MOVING = frozenset({"capture", "refund"})


class Effect(StrEnum):
    """What happens to the money."""

    APPROVE = "approve"
    DECLINE = "decline"
    PENDING = "pending"
    # Done, and later undone: captures and refunds.
    TAKE_BACK = "take_back"
    # Done, and later sent back: refunds by the payer's bank, captures by the gateway.
    SEND_BACK = "send_back"
    # Failed, and later done all the same: charges.
    LATE = "late"
    NOTHING = "nothing"


class Wire(StrEnum):
    """What the caller gets to see of it."""

    ANSWER = "answer"
    DROP = "drop"
    RESET = "reset"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    BUSY = "busy"
    RATE_LIMIT = "rate_limit"
    GARBAGE = "garbage"
    PROXY_PAGE = "proxy_page"
    EMPTY = "empty"
    WRONG_TYPE = "wrong_type"
    # Half of the announced bytes, and fewer announced than there are.
    HALF = "half"
    SHORT = "short"
    OTHER_PAYMENT = "other_payment"
    OTHER_AMOUNT = "other_amount"
    OTHER_CURRENCY = "other_currency"


class Telling(StrEnum):
    """What becomes of a payment's webhooks."""

    USUAL = ""
    LOST = "lost"
    LATE = "late"
    REPEATED = "repeated"
    REORDERED = "reordered"
    FORGED = "forged"
    WRONG_SECRET = "wrong_secret"
    UNSIGNED = "unsigned"
    OLD = "old"
    OTHER_ACCOUNT = "other_account"
    OTHER_MODE = "other_mode"
    UNKNOWN_KIND = "unknown_kind"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Script:
    """One scripted behaviour.

    `takes` names the field that a number at the end of the token replaces, up to `most`: `tok_pending_10` has
    `settle_s=10`. `in_frontend`: the payer acts there, and has `payer_s` seconds; `lapses`: a payer who takes longer fails,
    and passes before; `then` is for the confirm. `dispute`: as what the payer's bank opens one once the money is taken; it
    ends as `dispute_ends` after `dispute_s` seconds. `hold_s`: so long funds are held under manual capture.
    `approval_s`: so long PayPal's payer has approved; `pends_for`: why a capture is pending there; `honoured_only`: a
    hold is captured only while it is honoured. `stores_error`: whether a 500 is repeated under the idempotency key;
    None: as the gateway does. `forgets_key`: nothing is kept under it. `clock_s`: how far ahead the `Date` of the
    answer is. `telling`: what becomes of the payment's webhooks from then on, `telling_s` seconds later or older.
    `settles_s`: so long after it was submitted a charge settles. `amount_suffix`: 0 where no amount stands for it.
    `wires`: the wire formats that have it; empty: all.
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
    lapses: bool = False
    in_frontend: bool = False
    then: Script | None = None
    retry_after_s: int = 0
    stores_error: bool | None = None
    forgets_key: bool = False
    clock_s: int = 0
    dispute: str = ""
    dispute_reason: str = "fraudulent"
    dispute_ends: str = ""
    dispute_s: int = 0
    hold_s: int = 604_800
    approval_s: int = 10_800
    pends_for: str = "PENDING_REVIEW"
    honoured_only: bool = False
    settles_s: int = 2
    telling: Telling = Telling.USUAL
    telling_s: int = 0
    once: bool = False
    acts_on: frozenset[str] = frozenset({"charge"})
    wires: frozenset[str] = frozenset()

    @property
    def range(self) -> str:
        """What N may be, in words; empty where it takes none."""
        unit = "milliseconds" if self.takes.endswith("_ms") else "seconds"
        return f"0 to {self.most} {unit}" if self.takes else ""

    @property
    def text(self) -> str:
        """The name with its number, as `tokens.named` reads it."""
        number: Any = getattr(self, self.takes) if self.takes else None
        return self.name if number is None else f"{self.name}_{number}"

    @property
    def ends_later(self) -> bool:
        """Whether what it does is decided, or undone, after the answer."""
        return self.effect in (Effect.PENDING, Effect.TAKE_BACK, Effect.SEND_BACK, Effect.LATE)

    def fits(self, operation: str) -> bool:
        """Whether `_on_<operation>` may be given: not every operation can end later, and a look-up moves nothing."""
        if self.payer_must_act or self.commit_after_s > 0:
            return False
        if self.effect is Effect.LATE:
            return operation == "charge"
        if operation == "look_up":
            shows = self.wire is not Wire.ANSWER or self.answer_after_ms > 0 or self.clock_s > 0
            return shows and not self.hidden_s and not self.down_s
        return operation in MOVING if self.ends_later else operation in OPERATIONS
