"""How an adapter has calls made for it: it yields what is to be called, and is sent the answer (design D11).

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        answer = yield HttpCall("POST", "/v1/charges", self._headers(request), written(request))
        return outcome(request, answer)

The adapter does no I/O, so a test can run it by hand: `next(flow)` gives the call, and `flow.send(answer)` ends with
`StopIteration`, whose `value` is the outcome. Who makes the calls (`exchange.driver`) decides what is an answer, and what
is none; it bounds the calls of a flow and their time.

A call without an answer is raised in the flow, at its `yield`, as `NoAnswer`. An adapter that lets it pass is done: what it
says becomes the outcome of the operation. An adapter catches it only where it knows better, as where the step before moved
no money:

        created = yield HttpCall("POST", "/v1/intents", headers, body)
        try:
            confirmed = yield HttpCall("POST", f"/v1/intents/{intent_id}/confirm", headers, b"{}")
        except NoAnswer as none:
            return none.outcome  # an intent that was never confirmed charges nobody, so `NotSent` stands
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TypeAlias, TypeVar

from aegis_worker.domain.outcomes import NotSent, Unknown

MAX_RETRY_AFTER_S = 3600.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request to the gateway, to be sent at most once.

    `path`: what follows the gateway's `base_url`, with the query; everything in it that is not ours is quoted already.
    `headers` and `body` are sent as they are; what the connection needs (Host, Content-Length …) is added. They hold keys
    and tokens, so they are not shown. `only_reads`: the call changes nothing at the gateway, such as a look-up.
    `base_url`: another than the gateway's own, such as `https://host:port`.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    only_reads: bool = False
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is called for `seconds`: for gateways within this process, which only pretend to be slow.

    It is answered with nothing, and no deadline bounds it.
    """

    seconds: float


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
    """A call has no answer. `outcome` says whether it may have arrived: `NotSent`, or `Unknown` (design D4)."""

    def __init__(self, outcome: NotSent | Unknown) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


# An operation of an adapter under way: it yields calls, is sent their answers, and returns what they mean.
Flow: TypeAlias = Generator[HttpCall | Pause, HttpAnswer, T]
