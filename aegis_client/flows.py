"""What is sent, waited for and sent again, as generators that do neither: `answer = yield call`, `yield Pause(1.5)`.

The clients for threads and for asyncio carry the same flows out, so that both decide alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .calls import Answer, Call, NoAnswer, call, call_with_lines
from .errors import NotAnswered, UnexpectedAnswer, refused

T = TypeVar("T")

_TOO_LARGE = 413
# A job or an order in one of these goes no further by itself.
ENDED = frozenset({"succeeded", "failed", "review"})


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for so many seconds. What is sent back says whether to stop instead of going on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is made in all, and how long the pauses between are: drawn evenly from 0 to `first_pause_s`, doubled
    each time, `longest_pause_s` at most, and `Retry-After` on top, up to `longest_retry_after_s`.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    tries: int = 7
    first_pause_s: float = 0.5
    longest_pause_s: float = 6.0
    longest_retry_after_s: float = 10.0

    def pause(self, tries: int, retry_after_s: float, draw: float) -> Pause:
        """The pause after so many tries. `draw`: from 0 to 1, by chance."""
        ceiling_s = self.first_pause_s * 2.0 ** min(tries - 1, 32)
        at_least_s = min(retry_after_s, self.longest_retry_after_s)
        return Pause(at_least_s + min(self.longest_pause_s, draw * ceiling_s))


@dataclass(frozen=True, slots=True)
class Way:
    """How a client goes about its calls. `clock_s` counts seconds from anywhere, `draw` gives a number from 0 to 1."""

    url: str
    retries: Retries
    clock_s: Callable[[], float]
    draw: Callable[[], float] = random.random


Flow = Generator[Call | Pause, Any, T]


def answered(asked: Call, way: Way) -> Flow[Answer]:
    """Make the call until it is answered with more than "not now", with the same key and body each time.

    What may not be sent twice is sent again only where it can't have arrived, or where the API says that nothing was done.
    Raises NotAnswered.
    """
    last, was_sent = "", False
    for tries in range(1, way.retries.tries + 1):
        answer: Answer | NoAnswer = yield asked
        retry_after_s = 0.0
        if isinstance(answer, NoAnswer):
            last, was_sent = answer.reason, was_sent or answer.was_sent
            if answer.was_sent and not asked.may_repeat:
                raise NotAnswered(f"{way.url} did not answer: {last}", may_have_arrived=True)
        elif answer.is_worth_a_retry and (asked.may_repeat or answer.body.get("retryable") is True):
            last, retry_after_s = f"HTTP {answer.status} {answer.code}", answer.retry_after_s
        else:
            return answer
        if tries == way.retries.tries:
            break
        stops: bool = yield way.retries.pause(tries, retry_after_s, way.draw())
        if stops:
            break
    raise NotAnswered(f"{way.url} did not answer after {tries} tries: {last}", may_have_arrived=was_sent)


def done(asked: Call, way: Way) -> Flow[Any]:
    """The JSON object of a call's answer. Raises NotAnswered, UnexpectedAnswer, and ApiError by the problem's code."""
    answer = yield from answered(asked, way)
    if not answer.ok:
        raise refused(answer)
    if not answer.body and answer.status not in (204, 304):
        raise UnexpectedAnswer(f"{way.url} does not answer like an AegisPay API (HTTP {answer.status})")
    return answer.body


def batch(path: str, lines: Sequence[Mapping[str, Any]], way: Way) -> Flow[list[Any]]:
    """Post lines, each with its key; the result of each, in order.

    A batch that is too large is posted in halves, and lines that are told "not now" again, up to the same number of tries.
    Raises what `done` does.
    """
    results: dict[int, dict[str, Any]] = {}
    left = list(range(len(lines)))
    for tries in range(1, way.retries.tries + 1):
        told = yield from _posted(path, [lines[place] for place in left], way)
        results |= zip(left, told, strict=True)
        left = [place for place in left if _is_not_now(results[place])]
        if not left or tries == way.retries.tries:
            break
        stops: bool = yield way.retries.pause(tries, 0.0, way.draw())
        if stops:
            break
    return [results[place] for place in range(len(lines))]


def _posted(path: str, lines: Sequence[Mapping[str, Any]], way: Way) -> Flow[list[Any]]:
    if not lines:
        return []
    answer = yield from answered(call_with_lines(path, lines), way)
    if answer.ok:
        told = answer.body.get("data")
        if not isinstance(told, list) or len(told) != len(lines):
            raise UnexpectedAnswer(f"{way.url} does not answer a batch like an AegisPay API")
        return told
    if answer.status != _TOO_LARGE:
        raise refused(answer)
    if len(lines) == 1:
        # It spoils no other line.
        key = lines[0].get("idempotency_key")
        return [{"line": 1, "idempotency_key": key, "outcome": "refused", "problem": answer.body}]
    middle = len(lines) // 2
    before = yield from _posted(path, lines[:middle], way)
    after = yield from _posted(path, lines[middle:], way)
    return [*before, *after]


def _is_not_now(result: Mapping[str, Any]) -> bool:
    problem = result.get("problem")
    return problem is not None and problem.get("retryable") is True


def ended(path: str, timeout_s: float, way: Way) -> Flow[Any]:
    """What is at `path`, a job or an order, at its end, or as it stands after `timeout_s` seconds. While the API does not
    answer, it is asked again. Raises NotAnswered where it never did.
    """
    gives_up_at_s = way.clock_s() + timeout_s
    pause_s, latest, problem = 0.1, None, None
    while True:
        try:
            latest = yield from done(call("GET", path), way)
        except NotAnswered as error:
            problem = error
        left_s = gives_up_at_s - way.clock_s()
        if (latest is not None and latest["status"] in ENDED) or left_s <= 0:
            break
        stops: bool = yield Pause(min(pause_s, left_s))
        if stops:
            break
        pause_s = min(pause_s * 1.5, 1.0)
    if latest is None and problem is not None:
        raise problem
    return latest
