"""Posting: one request, one bounded answer, over connections that are kept alive."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

from aegis_worker import __version__
from aegis_worker.errors import Refused
from aegis_worker.exchange.http1.connection import Connection, MalformedAnswer, connect
from aegis_worker.exchange.http1.resolving import Resolver
from aegis_worker.observability.redaction import redact_text

from .addresses import PORTS, Resolve, Target, checked_addresses, parse_target
from .schedule import Answer, Answered, NoAnswer

_MAX_ADDRESSES = 3
_MAX_ANSWER = 4096
_MAX_EXCERPT = 200
_MAX_IDLE, _MAX_IDLE_PER_TARGET = 256, 8
_MAX_RESOLVING = 256
# A name is resolved and checked again at least this often.
_LONGEST_LIFE_S = 300.0


@dataclass(frozen=True, slots=True)
class _Line:
    """A connection to a server. After a while it is dropped, and the name is resolved and checked again."""

    connection: Connection
    retire_at: float


class HttpSender:
    """Posts, each within `timeout_s` from resolving the name to the last byte of the answer. Safe to share between threads.

    Goes to the address that was checked: a name that resolves to something else a moment later must not matter.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        allow_private: bool,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        self._timeout_s = timeout_s
        self._allow_private = allow_private
        self._resolve, self._resolver = resolve, Resolver(_MAX_RESOLVING)
        self._tls = tls or ssl.create_default_context()
        self._idle: defaultdict[Target, deque[_Line]] = defaultdict(deque)
        self._idle_count = 0
        self._lock = threading.Lock()

    @property
    def longest_s(self) -> float:
        """The longest that one post takes."""
        return self._timeout_s

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post once; never follows a redirect. Raises nothing for what the other side or the network does."""
        deadline = time.monotonic() + self._timeout_s
        try:
            target = parse_target(url, allow_private=self._allow_private)
            server = Target(target.scheme, target.host, target.port, "")
            kept = self._kept(server)
            if kept is not None:
                try:
                    return self._exchange(kept, server, target.path, headers, body, deadline)
                except OSError as error:
                    if isinstance(error, TimeoutError) or kept.connection.received:
                        raise
                    # The server closed the kept connection. Post over a fresh one: it shows whether the endpoint is
                    # there, and if the event arrives twice, the receiver dedupes.
            fresh = self._fresh(server, deadline)
            return self._exchange(fresh, server, target.path, headers, body, deadline)
        except Refused as error:
            return NoAnswer(str(error))
        except TimeoutError:
            return NoAnswer("timed out")
        except (OSError, http.client.HTTPException) as error:
            return NoAnswer(_explain(error))

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            for kept in self._idle.values():
                for line in kept:
                    line.connection.close()
            self._idle.clear()
            self._idle_count = 0

    def _exchange(
        self,
        line: _Line,
        server: Target,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        deadline: float,
    ) -> Answer:
        keep = False
        try:
            fields = {"Host": _host_field(server), **_FIXED_HEADERS, **headers}
            reply = line.connection.exchange(
                "POST", path, fields, body, deadline=deadline, max_body_bytes=_MAX_ANSWER
            )
            keep = line.connection.is_reusable
        finally:
            if not (keep and self._keep(server, line)):
                line.connection.close()
        return Answered(reply.status, _excerpt(reply.body), _retry_after_s(reply.headers.get("retry-after")))

    def _fresh(self, server: Target, deadline: float) -> _Line:
        question = partial(
            checked_addresses, server, allow_private=self._allow_private, resolve=self._resolve
        )
        addresses = self._resolver.ask(server.host, question, deadline)[:_MAX_ADDRESSES]
        tls = self._tls if server.scheme == "https" else None
        connection = connect(addresses, server.host, server.port, tls, deadline)
        return _Line(connection, time.monotonic() + _LONGEST_LIFE_S)

    def _kept(self, server: Target) -> _Line | None:
        with self._lock:
            kept = self._idle.get(server)
            while kept:
                line = kept.pop()
                self._idle_count -= 1
                if time.monotonic() < line.retire_at and line.connection.is_quiet():
                    return line
                line.connection.close()
            self._idle.pop(server, None)
        return None

    def _keep(self, server: Target, line: _Line) -> bool:
        with self._lock:
            if self._idle_count >= _MAX_IDLE or len(self._idle[server]) >= _MAX_IDLE_PER_TARGET:
                return False
            self._idle[server].append(line)
            self._idle_count += 1
            return True


_FIXED_HEADERS = {"Content-Type": "application/json", "User-Agent": f"AegisPay/{__version__}"}


def _host_field(server: Target) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return host if server.port == PORTS[server.scheme] else f"{host}:{server.port}"


def _excerpt(content: bytes) -> str:
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


def _explain(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return "the host can't be resolved"
    what = "the answer can't be read" if isinstance(error, MalformedAnswer) else type(error).__name__
    # The error quotes what can't be read. Redact it before cutting, because half a card number would not be recognized.
    return redact_text(f"{what}: {error}")[:_MAX_EXCERPT]
