"""What an endpoint's answer means for a delivery. Pure: this decides, and a row in the database waits."""

from __future__ import annotations

import random
from typing import Literal

from msgspec import Struct

from aegis_worker.delivery.ladder import next_delay_s

_LONGEST_RETRY_AFTER_S = 6 * 3600

# An endpoint that doesn't answer rests three times as long as it took, so it holds a lane for a quarter of the time.
_REST_FACTOR = 3.0
_SHORTEST_REST_S, _LONGEST_REST_S = 1.0, 300.0


class Answered(Struct, frozen=True):
    """The endpoint answered. `excerpt`: the first printable characters of its body."""

    status: int
    excerpt: str = ""
    retry_after_s: float | None = None


class NoAnswer(Struct, frozen=True):
    """No usable answer: timed out, refused, reset, not HTTP, or an address that webhooks may not go to."""

    error: str


Answer = Answered | NoAnswer


class Verdict(Struct, frozen=True):
    """What becomes of the delivery: `pending` again after `delay_s`, `delivered` or `dead`.

    `rest_s`: for how long nothing at all is sent to the endpoint. `gone`: it asked to be disabled.
    """

    status: Literal["pending", "delivered", "dead"]
    error: str | None = None
    delay_s: float = 0.0
    rest_s: float = 0.0
    gone: bool = False


def decide(answer: Answer, *, tries: int, max_tries: int, took_s: float, rng: random.Random) -> Verdict:
    """The verdict on try number `tries` (from 1), which took `took_s` seconds. Only 2xx is delivered."""
    if isinstance(answer, Answered) and 200 <= answer.status < 300:
        return Verdict("delivered")
    if isinstance(answer, Answered) and answer.status == 410:
        return Verdict("dead", error="410 Gone: the endpoint was disabled", gone=True)
    error, rest_s = _explain(answer), _rest_s(answer, took_s)
    if tries >= max_tries:
        return Verdict("dead", error=error, rest_s=rest_s)
    delay_s = next_delay_s(tries, rng)
    if isinstance(answer, Answered) and answer.retry_after_s is not None:
        delay_s = max(delay_s, min(answer.retry_after_s, _LONGEST_RETRY_AFTER_S))
    return Verdict("pending", error=error, delay_s=delay_s, rest_s=rest_s)


def _explain(answer: Answer) -> str:
    if isinstance(answer, NoAnswer):
        return answer.error
    if 300 <= answer.status < 400:
        return f"HTTP {answer.status}: redirects are not followed"
    return f"HTTP {answer.status}: {answer.excerpt}" if answer.excerpt else f"HTTP {answer.status}"


def _rest_s(answer: Answer, took_s: float) -> float:
    if isinstance(answer, NoAnswer):
        return min(max(_REST_FACTOR * took_s, _SHORTEST_REST_S), _LONGEST_REST_S)
    if answer.status in (429, 503) and answer.retry_after_s is not None:
        return min(answer.retry_after_s, _LONGEST_REST_S)
    return 0.0
