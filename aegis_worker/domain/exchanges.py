"""What went out to a gateway in one HTTP request, and what came back, without secrets and personal data (design D17)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

LeftOut = Literal["unreadable", "too_large"]
Because = Literal["comparison", "decision", "dispute"]
"""Why a gateway was asked where no job asked: to compare, before a person decides, or about a dispute."""


class CallKind(StrEnum):
    """Why a worker made the call."""

    SEND = "send"
    SEND_AGAIN = "send_again"
    LOOK_UP = "look_up"


class NotedRequest(Struct, frozen=True, omit_defaults=True):
    """A request, its values hidden unless the adapter allows them to be kept.

    `bytes`: the length of its body. `left_out`: why nothing but that is kept of the body.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    bytes: int
    query: Mapping[str, str] | None = None
    body: Any = None
    left_out: LeftOut | None = None


class NotedAnswer(Struct, frozen=True, omit_defaults=True):
    """An answer, as `NotedRequest`."""

    status: int
    headers: Mapping[str, str]
    bytes: int
    body: Any = None
    left_out: LeftOut | None = None


class NoAnswerNoted(Struct, frozen=True, omit_defaults=True):
    """Why there is no answer: `not_sent` if nothing left, else `unknown`. `reason`: in words, if no gateway wrote them."""

    outcome: Literal["not_sent", "unknown"]
    kind: str
    reason: str | None = None


class Exchange(Struct, frozen=True, omit_defaults=True):
    """One request and how it ended: with an `answer` or without one, after `took_ms`. `because`: None if a job made it."""

    took_ms: float
    request: NotedRequest
    answer: NotedAnswer | None = None
    no_answer: NoAnswerNoted | None = None
    because: Because | None = None


class Noted(Struct, frozen=True):
    """An exchange as it is to be kept: `told` is the JSON of an `Exchange`. It began at `began_s`, by `time.monotonic`."""

    began_s: float
    told: str


class AttemptExchange(Struct, frozen=True):
    """An exchange, the attempt that it belongs to, and why it was made. One about a dispute is of no attempt: `dispute`, 0.

    `id` is drawn by chance once, so that writing it again is recognized.
    """

    payment_id: str
    operation: str
    number: int
    kind: CallKind
    id: int
    noted: Noted


# Takes what is to be kept of an exchange that has just ended; it neither waits nor raises.
Note = Callable[[Noted], None]
# By the operation and the number of an attempt: what its exchanges are told to; None where nothing is noted.
Noting = Callable[[str, int], Note | None]
