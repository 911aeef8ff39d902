"""A kept-alive HTTP client that says how sure it is: an answer, nothing sent, or unknown (design D4)."""

from __future__ import annotations

import http.client
import math
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from aegis_worker.domain.outcomes import NotSent, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.gateways.kit.flows import HttpAnswer, HttpCall
from aegis_worker.observability.redaction import redact_text

from .http1.connection import Connection, MalformedAnswer, connect
from .http1.resolving import Resolver, addresses

MAX_BODY_BYTES = 1 << 20
_PORTS = {"http": 80, "https": 443}
_MAX_RESOLVING = 32


class HttpClient:
    """Calls to one host, at most `max_connections` at once, without retries or redirects.

    Threads may share a client, processes may not: make it after the fork. A call takes at most `connect_timeout_s` +
    `timeout_s`, however slowly bytes come. The first bounds the wait for a free connection, and then, together,
    resolving, connecting to one address after the other and the TLS handshake. The second bounds sending and the whole
    answer. `headers` go with each call; a call's own headers take precedence.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout_s: float,
        timeout_s: float,
        max_connections: int,
        headers: Mapping[str, str],
        max_body_bytes: int = MAX_BODY_BYTES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        target = urlsplit(base_url)
        self._host, self._port = target.hostname or "", target.port or _PORTS[target.scheme]
        self._tls = (tls or ssl.create_default_context()) if target.scheme == "https" else None
        self._prefix = target.path.rstrip("/")
        self._headers = {"Host": target.netloc.rpartition("@")[2], "User-Agent": "AegisPay", **headers}
        self._connect_timeout_s, self._timeout_s = connect_timeout_s, timeout_s
        self._max_body_bytes = max_body_bytes
        self._places = threading.BoundedSemaphore(max_connections)
        self._idle: deque[Connection] = deque()
        self._resolver = Resolver(_MAX_RESOLVING)

    def send(self, call: HttpCall, *, deadline: float = math.inf) -> HttpAnswer | NotSent | Unknown:
        """Make the call at most once. It ends at the `deadline` (monotonic), or at its own bounds if those come first."""
        connect_by = min(time.monotonic() + self._connect_timeout_s, deadline)
        if not self._places.acquire(timeout=max(connect_by - time.monotonic(), 0.0)):
            return NotSent("no free connection")
        try:
            connection = self._kept() or self._connected(connect_by)
        except OSError as problem:
            kind = NotSentKind.TIMEOUT if isinstance(problem, TimeoutError) else NotSentKind.NETWORK_ERROR
            return NotSent(f"could not connect: {_in_the_words_of_the_system(problem)}", kind=kind)
        else:
            return self._exchanged(connection, call, min(time.monotonic() + self._timeout_s, deadline))
        finally:
            self._places.release()

    def close(self) -> None:
        """Close kept-alive connections."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_quiet():
                return connection
            connection.close()

    def _connected(self, deadline: float) -> Connection:
        """Raises OSError, including TimeoutError. Until then, no byte of a request has been sent."""
        found = self._resolver.ask(self._host, partial(addresses, self._host, self._port), deadline)
        return connect(found, self._host, self._port, self._tls, deadline)

    def _exchanged(self, connection: Connection, call: HttpCall, deadline: float) -> HttpAnswer | Unknown:
        """The answer. Without one the outcome is Unknown: bytes may have left, even if a kept connection was reset."""
        keep = False
        try:
            reply = connection.exchange(
                call.method,
                self._prefix + call.path,
                {**self._headers, **call.headers},
                call.body,
                deadline=deadline,
                max_body_bytes=self._max_body_bytes,
            )
            keep = connection.is_reusable
        except TimeoutError:
            return Unknown("read timeout", kind=UnknownKind.ANSWER_TIMEOUT)
        except MalformedAnswer as problem:
            return Unknown(_describe(problem), kind=UnknownKind.UNREADABLE)
        except (OSError, http.client.HTTPException) as problem:
            return Unknown(_describe(problem))
        finally:
            if keep:
                self._idle.append(connection)
            else:
                connection.close()
        if not reply.whole:
            return Unknown(f"HTTP {reply.status} with an answer too long", kind=UnknownKind.UNREADABLE)
        return HttpAnswer(reply.status, reply.headers, reply.body)


def _in_the_words_of_the_system(problem: OSError) -> str:
    """The system's message, such as `Connection refused`, without the address, which is of no use to merchants."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"TLS: {problem.verify_message}"[:200]
    return (problem.strerror or str(problem))[:200]


def _describe(problem: Exception) -> str:
    # Quote what can't be read. Redact before cutting: half a card number would not be recognized as one.
    return f"{type(problem).__name__}: {redact_text(str(problem))[:200]}"
