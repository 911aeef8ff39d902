"""Posting: one request, one bounded answer, over connections that are kept alive."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from aegis_worker import __version__
from aegis_worker.errors import Refused
from aegis_worker.observability.redaction import redact_text

from .addresses import Resolve, Target, checked_addresses, parse_target
from .connection import Connection, TimedTlsSocket
from .schedule import Answer, Answered, NoAnswer

_MAX_ADDRESSES = 3
_MAX_ANSWER = 4096
_MAX_EXCERPT = 200
_MAX_IDLE, _MAX_IDLE_PER_TARGET = 256, 8
# The other side closed a kept connection; nothing of an answer came.
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)


class HttpSender:
    """Posts with `timeout_s` for connecting and again for the whole answer. Safe to share between threads."""

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
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()
        self._tls.sslsocket_class = TimedTlsSocket
        self._idle: defaultdict[Target, deque[Connection]] = defaultdict(deque)
        self._idle_count = 0
        self._lock = threading.Lock()

    @property
    def longest_s(self) -> float:
        """The longest that one post takes, name resolution aside: a kept connection gone stale, then a fresh one."""
        return 3 * self._timeout_s

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post once; never follows a redirect. Raises nothing for what the other side or the network does."""
        try:
            target = parse_target(url, allow_private=self._allow_private)
            server = Target(target.scheme, target.host, target.port, "")
            connection = self._kept(server)
            if connection is not None:
                try:
                    return self._exchange(connection, server, target.path, headers, body)
                except _STALE:
                    connection.close()  # a fresh one tells whether the endpoint is there; the receiver dedupes
            return self._exchange(self._fresh(server), server, target.path, headers, body)
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
                for connection in kept:
                    connection.close()
            self._idle.clear()
            self._idle_count = 0

    def _exchange(
        self, connection: Connection, server: Target, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        try:
            connection.limit(self._timeout_s)
            connection.request("POST", path, body=body, headers={**_FIXED_HEADERS, **headers})
            connection.flush()
            response = connection.getresponse()
            content = response.read(_MAX_ANSWER)
            retry_after_s = _retry_after_s(response.headers.get("Retry-After"))
            answer = Answered(response.status, _excerpt(content), retry_after_s)
        except BaseException:
            connection.close()
            raise
        if response.isclosed() and connection.sock is not None:
            self._keep(server, connection)
        else:
            connection.close()
        return answer

    def _fresh(self, server: Target) -> Connection:
        addresses = checked_addresses(server, allow_private=self._allow_private, resolve=self._resolve)
        connection = Connection(server, addresses[:_MAX_ADDRESSES], self._timeout_s, self._tls)
        connection.connect()
        return connection

    def _kept(self, server: Target) -> Connection | None:
        with self._lock:
            kept = self._idle.get(server)
            while kept:
                connection = kept.pop()
                self._idle_count -= 1
                if time.monotonic() < connection.retire_at:
                    return connection
                connection.close()
            self._idle.pop(server, None)
        return None

    def _keep(self, server: Target, connection: Connection) -> None:
        with self._lock:
            if self._idle_count < _MAX_IDLE and len(self._idle[server]) < _MAX_IDLE_PER_TARGET:
                self._idle[server].append(connection)
                self._idle_count += 1
                return
        connection.close()


_FIXED_HEADERS = {"Content-Type": "application/json", "User-Agent": f"AegisPay/{__version__}"}


def _excerpt(content: bytes) -> str:
    # Before it is cut: half a card number would not be known as one.
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
    return redact_text(f"{type(error).__name__}: {error}")[:_MAX_EXCERPT]
