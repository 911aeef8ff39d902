"""How an adapter gets its calls made: it yields a call, and is sent the answer (design D11).

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        answer = yield HttpCall("POST", "/v1/charges", self._headers(request), written(request))
        return outcome(request, answer)

The adapter does no I/O, so a test can run it by hand: `next(flow)` gives the call, and `flow.send(answer)` ends with
`StopIteration`, whose `value` is the outcome. The driver (`exchange.driver`) makes the calls and decides what counts as
an answer; it limits the number of calls in a flow, and their time.

A call without an answer raises `NoAnswer` in the flow, at its `yield`. If the adapter does not catch it, the flow ends
and the exception's outcome becomes that of the operation. An adapter catches it only if it knows better, for example
because the step before moved no money:

        created = yield HttpCall("POST", "/v1/intents", headers, body)
        try:
            confirmed = yield HttpCall("POST", f"/v1/intents/{intent_id}/confirm", headers, b"{}")
        except NoAnswer as none:
            return none.outcome  # an intent that was never confirmed charges nobody, so `NotSent` stands

A gateway that has no look-ups is not called to learn what became of a payment. What it has told by itself is read instead:

        told = yield from recalled(Recall(query.reference))

A card of the vault is opened just before the call that carries it. What was opened is a local of the flow and dies with it:

        card = yield from opened(request.vaulted)
        if isinstance(card, Declined):
            return card
        answer = yield self._charge(request, card)
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias, TypeVar

from aegis_worker.domain.cards import Card
from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.outcomes import Declined, NotSent, Unknown

MAX_RETRY_AFTER_S = 3600.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request to the gateway, to be sent at most once.

    `path`: what follows the gateway's `base_url`, including the query, with everything that comes from outside quoted.
    `headers` and `body` are sent unchanged, and what the connection needs (Host, Content-Length …) is added. Both hold
    keys and tokens, so `repr` leaves them out. `only_reads`: the call changes nothing at the gateway, as a look-up.
    `base_url`: replaces the gateway's own, such as `https://host:port`.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    only_reads: bool = False
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait `seconds` without a call: for gateways inside this process, which only pretend to be slow.

    The flow is then sent None. No deadline limits the pause.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Recall:
    """Read what this gateway has told by itself: about the payment that `reference` is a key of, or about one dispute."""

    reference: str | None = None
    dispute_ref: str | None = None


@dataclass(frozen=True, slots=True)
class OpenCard:
    """Open a card of the vault for the call that is to carry it.

    `fingerprint`: the payment's own, because a card is opened for its own payments only. `with_code`: the card must come
    with its security code, as it did the first time; otherwise it comes without.
    """

    token: str
    fingerprint: str
    with_code: bool

    @classmethod
    def of(cls, method: Mapping[str, Any]) -> OpenCard:
        """That of a payment whose `payment_method` is a card of the vault."""
        return cls(method["token"], method["fingerprint"], method.get("with_code", False))


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole HTTP answer. The names of `headers` are matched without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def retry_after_s(self) -> float | None:
        """Seconds that `Retry-After` (a number or a date; RFC 9110, 10.2.3) asks to wait, at most MAX_RETRY_AFTER_S."""
        found = (value for name, value in self.headers.items() if name.lower() == "retry-after")
        value = next(found, "").strip()
        try:
            wait_s = (
                float(value) if value.isdecimal() else parsedate_to_datetime(value).timestamp() - time.time()
            )
        except ValueError:
            return None
        return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


class NoAnswer(Exception):
    """A call has no answer. `outcome` says whether it may have arrived: `NotSent` if not, else `Unknown` (design D4)."""

    def __init__(self, outcome: NotSent | Unknown) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


# An adapter's operation in progress: it yields calls, is sent their answers, and returns what they mean.
Flow: TypeAlias = Generator[HttpCall | Pause | Recall | OpenCard, HttpAnswer, T]


def recalled(recall: Recall) -> Generator[Recall, Any, Sequence[Told]]:
    """What this gateway's account has told, in the order in which it came. Raises NoAnswer where it can't be read now."""
    told: Sequence[Told] = yield recall
    return told


def opened(card: OpenCard) -> Generator[OpenCard, Any, Card | Declined]:
    """The card, in the clear; or a decline to end with where it can't be used any more, before anything was sent.

    Raises NoAnswer where the vault does not answer now. Don't catch it: the payment waits for the vault.
    """
    found: Card | Declined = yield card
    return found
