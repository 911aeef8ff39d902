"""Access tokens of OAuth's client credentials (RFC 6749, 4.4): one for each account and process, fetched when needed.

    answer = yield from authorized(call, tokens, token_call)

An adapter does no I/O, so the token is fetched by a call of the flow that needs it, and kept in an object that the
adapter is given. No token is ever stored elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from aegis_worker.domain.outcomes import NotSent, UnknownKind
from aegis_worker.domain.retries import NotSentKind

from .flows import Flow, HttpAnswer, HttpCall, NoAnswer
from .reading import LONGEST_ID, Unreadable, parsed

# A token is fetched anew so long before its end, or when a tenth of its life is left.
_EARLY_S = 300.0
# Whoever was told to fetch a token has so long for it. Meanwhile the others use the old one.
_FETCHED_WITHIN_S = 30.0
_LONGEST_TOKEN, _LONGEST_LIFE_S = 16 * LONGEST_ID, 7 * 86_400.0


class _Held(NamedTuple):
    token: str
    renew_at: float
    ends_at: float


class AccessTokens:
    """The access token of one account. `clock`: seconds that only grow.

    Several threads may use it: each step reads or replaces one field as a whole, and the worst that two at once can do is
    to fetch a token twice.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: _Held | None = None
        self._fetched_by = 0.0

    def __repr__(self) -> str:
        return "AccessTokens(…)"

    def current(self) -> str | None:
        """The token to use; None where the caller has to fetch one.

        Before the token ends, one caller is told to fetch the next one while the others go on with it.
        """
        held, now = self._held, self._clock()
        if held is not None and now < held.ends_at and (now < held.renew_at or now < self._fetched_by):
            return held.token
        self._fetched_by = now + _FETCHED_WITHIN_S
        return None

    def keep(self, token: str, lives_s: float) -> None:
        """Use this token from now on, which was just issued for `lives_s` seconds."""
        ends_at = self._clock() + lives_s
        self._held = _Held(token, ends_at - min(_EARLY_S, lives_s / 10), ends_at)
        self._fetched_by = 0.0

    def drop(self, token: str) -> None:
        """The gateway does not take this token any more. One that was fetched meanwhile stays."""
        held = self._held
        if held is not None and held.token == token:
            self._held = None


def authorized(call: HttpCall, tokens: AccessTokens, token_call: HttpCall) -> Flow[HttpAnswer]:
    """The answer to `call`, made with an access token. `token_call` fetches one.

    A 401 says that nothing was done, so the call goes out once more with a new token, and a second 401 is the answer.
    Where no token is to be had, the call is not sent: the refusal of the token is its answer, or NoAnswer is raised.
    """
    answer = yield from _made(call, tokens, token_call)
    if answer.status != 401:
        return answer
    return (yield from _made(call, tokens, token_call))


def _made(call: HttpCall, tokens: AccessTokens, token_call: HttpCall) -> Flow[HttpAnswer]:
    token = tokens.current()
    if token is None:
        got = yield from fetched(tokens, token_call)
        if isinstance(got, HttpAnswer):
            return got
        token = got
    answer = yield replace(call, headers={**call.headers, "Authorization": f"Bearer {token}"})
    if answer.status == 401:
        tokens.drop(token)
    return answer


def fetched(tokens: AccessTokens, token_call: HttpCall) -> Flow[str | HttpAnswer]:
    """Fetch a token; where it is refused, the answer that does so. Raises NoAnswer with `NotSent`."""
    try:
        answer = yield token_call
    except NoAnswer as none:
        is_late = none.outcome.kind == UnknownKind.ANSWER_TIMEOUT or none.outcome.kind is NotSentKind.TIMEOUT
        kind = NotSentKind.TIMEOUT if is_late else NotSentKind.NETWORK_ERROR
        raise NoAnswer(NotSent(f"no access token: {none.outcome.reason}", kind=kind)) from none
    if answer.status == 200:
        try:
            token, lives_s = _read(answer)
        except Unreadable as problem:
            raise NoAnswer(NotSent(f"no access token: {problem}")) from problem
        tokens.keep(token, lives_s)
        return token
    if answer.status in (400, 401, 403, 429):
        return answer
    raise NoAnswer(NotSent(f"no access token: HTTP {answer.status}"))


def _read(answer: HttpAnswer) -> tuple[str, float]:
    """The token and its life in seconds: RFC 6749, 5.1."""
    body = parsed(answer.body)
    token, lives_s = body.get("access_token"), body.get("expires_in")
    is_token = (
        type(token) is str and 0 < len(token) <= _LONGEST_TOKEN and token.isascii() and token.isprintable()
    )
    if not is_token or type(lives_s) is not int or not 0 < lives_s <= _LONGEST_LIFE_S:
        raise Unreadable("an answer without a token")
    return str(token), float(lives_s)
