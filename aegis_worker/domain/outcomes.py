"""What a gateway call can end in. Five outcomes and not two: not knowing is not the same as failing (design D4)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from .actions import NextAction
from .declines import DECLINES
from .retries import NotSentKind


class UnknownKind(StrEnum):
    """How a call ended whose outcome is unknown. A look-up may also be refused for now.

    MISMATCH: an answer came, and it is about something else than what was asked: another reference, amount or currency.
    NO_LOOK_UP: the gateway can't be asked about this operation.
    """

    NO_ANSWER = "NO_ANSWER"
    ANSWER_TIMEOUT = "ANSWER_TIMEOUT"
    HTTP_5XX = "HTTP_5XX"
    UNREADABLE = "UNREADABLE"
    MISMATCH = "MISMATCH"
    RATE_LIMIT = "RATE_LIMIT"
    NO_LOOK_UP = "NO_LOOK_UP"

    @classmethod
    def of_status(cls, status: int) -> UnknownKind:
        """That of an HTTP answer that is of no use."""
        if status == 429:
            return cls.RATE_LIMIT
        return cls.HTTP_5XX if status >= 500 else cls.UNREADABLE


class Operation(StrEnum):
    """What is asked of a gateway."""

    INITIATE = "initiate"
    AUTHENTICATE = "authenticate"
    PROCESS = "process"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    # Cancel, at one gateway, what its payer could still pay there, before the payment goes elsewhere or ends.
    CLOSE = "close"


# The steps that lead to a charge, in their order: what they are told of is the payment at the gateway.
CHARGING_STEPS = (Operation.INITIATE, Operation.AUTHENTICATE, Operation.PROCESS)


def charges(operation: str) -> bool:
    """Whether the call itself takes or holds the payer's money: of the steps that lead to a charge the last."""
    return operation == Operation.PROCESS


class Movement(Struct, frozen=True):
    """One capture, void or refund that a gateway shows of a charge, whoever asked for it. `minor`: in minor units.

    `reference`: the key under which we asked for it, where it shows one; `gateway_ref`: the gateway's own id of it, where
    it has one. Where neither is shown, it stands for all of its operation that we did not ask for. `code`: why it failed,
    in the gateway's own word.
    """

    operation: Operation
    minor: int
    status: Literal["pending", "succeeded", "failed"] = "succeeded"
    reference: str | None = None
    gateway_ref: str | None = None
    code: str = ""


class Twin(Struct, frozen=True):
    """Another charge under the same reference of ours, by the gateway's id of it: a call was repeated when its key was
    forgotten. `pending`: the gateway or its payer has yet to decide.
    """

    gateway_ref: str
    captured: bool = True
    pending: bool = False


class Approved(Struct, frozen=True):
    """The gateway did what was asked. `captured` is False where funds are only held (manual capture).

    `captured_minor` and `refunded_minor`, in minor units: what the gateway shows of a charge; None where it does not say.
    `settled`: whether the money is on its way to the merchant, so that a gateway which refunds only then does; None where
    it does not say. `movements`: each capture and refund of the charge that it shows; None where it does not say, or was
    not asked to. `still_held`: whether more of the funds may be captured; None where it does not say.
    `capture_before`: when a hold ends by itself (aware), as the gateway says it. `disputed`: it shows that the payer's bank
    questions the charge, or did. `network_transaction_id`: the card network's own id of the charge, to which a later one
    without the payer refers at any gateway; None where the gateway does not say. `twins`: of a charge that was looked up,
    what else stands, or may yet, under the same reference.
    """

    gateway_ref: str
    captured: bool = True
    captured_minor: int | None = None
    refunded_minor: int | None = None
    movements: tuple[Movement, ...] | None = None
    still_held: bool | None = None
    settled: bool | None = None
    capture_before: datetime | None = None
    disputed: bool = False
    network_transaction_id: str | None = None
    twins: tuple[Twin, ...] = ()

    @property
    def given_back(self) -> bool:
        """Whether all of it was refunded since. A part of it leaves the charge standing."""
        return bool(self.refunded_minor) and self.refunded_minor == self.captured_minor


class Declined(Struct, frozen=True):
    """The gateway refused, definitely: no money moved. `code` is one of `domain.declines.DECLINES`.

    `released`: it was cancelled at the gateway, which released what it held of the funds. `twins`: as `Approved` has them.
    """

    code: str
    gateway_code: str
    message: str = ""
    gateway_ref: str | None = None
    released: bool = False
    twins: tuple[Twin, ...] = ()

    def __post_init__(self) -> None:
        if self.code not in DECLINES:
            raise ValueError(f"{self.code!r} is not a classified decline code")


class ActionRequired(Struct, frozen=True):
    """The payer must do something (3-D Secure) before the gateway goes on: `action` says what, until `expires_at` (aware;
    None where the gateway does not say).
    """

    gateway_ref: str
    action: NextAction
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError("expires_at without an offset")


class Pending(Struct, frozen=True):
    """The gateway has it and will decide later; ask again."""

    gateway_ref: str
    reason: str = "pending at the gateway"


class NotSent(Struct, frozen=True):
    """Nothing can have happened at the gateway: refused connection, DNS, TLS, a 429."""

    reason: str
    retry_after_s: float | None = None
    kind: NotSentKind = NotSentKind.NETWORK_ERROR


class Unknown(Struct, frozen=True):
    """Bytes may have left and no usable answer came: it may or may not have happened. Never a failure on a guess.

    `stored`: the gateway answered with an error of its own (HTTP 500) that it may keep under the idempotency key, so that
    repeating the call would only repeat the error: asking has to decide. `shows`: of a MISMATCH, what the answer
    shows where it is about our own payment, with other money than ours; empty where it is about another's.
    """

    reason: str
    stored: bool = False
    kind: UnknownKind = UnknownKind.NO_ANSWER
    shows: str = ""


class NotFound(Struct, frozen=True):
    """Only from a look-up: the gateway has nothing under this reference *now*. Not yet proof of absence.

    `payer_has_paid`: the payer has done their part of what was not found, and only ours is missing. Anywhere else they
    would have to pay again, so it is done here or by a person, unless nobody wants it any more.
    """

    payer_has_paid: bool = False


Outcome = Approved | Declined | ActionRequired | Pending | NotSent | Unknown
Lookup = Approved | Declined | ActionRequired | Pending | Unknown | NotFound

_WORDS: dict[type, str] = {
    Approved: "approved",
    Declined: "declined",
    ActionRequired: "action_required",
    Pending: "pending",
    NotSent: "not_sent",
    Unknown: "unknown",
    NotFound: "not_found",
}


def word_of(outcome: Outcome | Lookup) -> str:
    """How a call ended, in a word for logs, metrics and traces."""
    return _WORDS[type(outcome)]
