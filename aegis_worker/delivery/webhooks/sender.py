"""Posting: one request, one bounded answer, in flight in the engine; no post takes a thread (design D11)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from ipaddress import ip_address
from pathlib import Path

from aegis_worker import __version__
from aegis_worker.domain.outcomes import UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.errors import Refused
from aegis_worker.exchange.engine import ENGINE, Engine, wait_for
from aegis_worker.exchange.transfers import Peer, Result, Transfer
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.observability.redaction import redact_text

from .addresses import Resolve, Target, checked_addresses, is_public, parse_target
from .resolving import Names
from .schedule import Answer, Answered, NoAnswer

Told = Callable[[Answer], None]

_MAX_ADDRESSES = 3
_MAX_ANSWER = 4096
_MAX_EXCERPT = 200
# Runs bound their own posts (see `shares`). This is for several runs at once: earlier ones wait for posts that hang.
_MOST_POSTS = 2048
_TIMED_OUT = NoAnswer("timed out")


class HttpSender:
    """Posts, each within `timeout_s` from resolving the name to the last byte of the answer. Safe to share between threads.

    Goes only to addresses that were checked: all those that a name resolves to, before a post, and the one that is used
    again when the engine connects to it. `ca_bundle`: certificates to trust in place of certifi's, a PEM file.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        allow_private: bool,
        ca_bundle: Path | None = None,
        resolve: Resolve = socket.getaddrinfo,
        engine: Engine = ENGINE,
    ) -> None:
        self._timeout_s = timeout_s
        self._allow_private = allow_private
        self._resolve, self._names = resolve, Names()
        self._engine = engine
        self._peer = Peer(
            connect_timeout_s=timeout_s,
            timeout_s=timeout_s,
            most=_MOST_POSTS,
            max_answer_bytes=_MAX_ANSWER,
            cuts_answers=True,
            refuses_address=None if allow_private else _refuses,
            ca_bundle=ca_bundle,
        )

    @property
    def longest_s(self) -> float:
        """The longest that one post takes."""
        return self._timeout_s

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post once and wait for the answer. Raises nothing for what the other side or the network does."""
        answer: Answer = wait_for(partial(self.begin, url, headers, body), self._timeout_s, _TIMED_OUT)
        return answer

    def begin(self, url: str, headers: Mapping[str, str], body: bytes, told: Told) -> None:
        """Post; `told` is called later, on the engine's thread. Never follows a redirect.

        Where a kept connection turns out to be dead, the same post goes over a new one, which shows whether the endpoint is
        there. If the event arrives twice, the receiver dedupes.
        """
        deadline = time.monotonic() + self._timeout_s
        try:
            target = parse_target(url, allow_private=self._allow_private)
        except Refused as error:
            self._engine.after(0.0, partial(told, NoAnswer(str(error))))
            return
        addresses = (
            (target.host,) if _is_address(target.host) else self._names.known(target.host, target.port)
        )
        if addresses is not None:
            self._send(target, headers, body, deadline, told, addresses)
            return
        # Whichever comes first counts: the name's addresses, or the end of the time.
        is_open = [told]
        self._engine.after(self._timeout_s, lambda: is_open.pop()(_TIMED_OUT) if is_open else None)

        def resolved(found: tuple[str, ...] | Exception) -> None:
            with suppress(IndexError):
                told = is_open.pop()
                if isinstance(found, Exception):
                    self._engine.after(0.0, partial(told, NoAnswer(_why_unresolved(found))))
                else:
                    self._send(target, headers, body, deadline, told, found)

        self._names.ask(target.host, target.port, partial(self._checked, target), resolved)

    def close(self) -> None:
        """Close the kept connections, unless posts or other calls of this process are under way."""
        self._engine.close_idle()

    def _checked(self, target: Target) -> tuple[str, ...]:
        found = checked_addresses(target, allow_private=self._allow_private, resolve=self._resolve)
        return tuple(address for _, address in found[:_MAX_ADDRESSES])

    def _send(
        self,
        target: Target,
        headers: Mapping[str, str],
        body: bytes,
        deadline: float,
        told: Told,
        addresses: tuple[str, ...],
    ) -> None:
        def ended(result: Result) -> None:
            if not isinstance(result, HttpAnswer):
                self._names.forget(target.host, target.port)
            told(_answer(result))

        host = f"[{target.host}]" if ":" in target.host else target.host
        # The URL is put together from the parts that were checked, so that nobody reads another host in it.
        url = f"{target.scheme}://{host}:{target.port}{target.path}"
        known = () if addresses == (target.host,) else (f"{target.host}:{target.port}:{','.join(addresses)}",)
        fields = {**_FIXED_HEADERS, **headers}
        self._engine.begin(
            Transfer(
                self._peer,
                "POST",
                url,
                fields,
                body,
                may_repeat=True,
                deadline=deadline,
                known_addresses=known,
            ),
            ended,
        )


_FIXED_HEADERS = {"Content-Type": "application/json", "User-Agent": f"AegisPay/{__version__}"}


def _refuses(address: str) -> str | None:
    return None if is_public(address) else "webhooks may not go to this address"


@lru_cache(maxsize=1024)
def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _why_unresolved(error: Exception) -> str:
    return str(error) if isinstance(error, Refused) else "the host can't be resolved"


def _answer(result: Result) -> Answer:
    if isinstance(result, HttpAnswer):
        return Answered(
            result.status, _excerpt(result.body), _retry_after_s(result.headers.get("retry-after"))
        )
    if result.kind in (NotSentKind.TIMEOUT, UnknownKind.ANSWER_TIMEOUT):
        return _TIMED_OUT
    what = "the answer can't be read: " if result.kind is UnknownKind.UNREADABLE else ""
    # The reason may quote what can't be read. Redact it before cutting, because half a card number would not be recognized.
    return NoAnswer(redact_text(what + result.reason)[:_MAX_EXCERPT])


def _excerpt(content: bytes) -> str:
    if not content:
        return ""
    # Redact before cutting, because half a card number would not be recognized as one.
    text = redact_text(content.decode(errors="replace"))
    return "".join(character if character.isprintable() else " " for character in text)[:_MAX_EXCERPT].strip()


def _retry_after_s(value: str | None) -> float | None:
    """Seconds from a Retry-After header, a number or a date (RFC 9110, 10.2.3)."""
    if value is None or len(value) > 64:
        return None
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)
