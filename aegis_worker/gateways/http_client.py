"""A kept-alive HTTP client that says how sure it is: an answer, nothing sent, or unknown (design D4)."""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    EmptyPoolError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
)

from aegis_worker.domain.outcomes import NotSent, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.observability.redaction import redact_text

MAX_BODY_BYTES = 1 << 20
MAX_RETRY_AFTER_S = 3600.0
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer. The names of `headers` are matched without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def retry_after_s(self) -> float | None:
        """Seconds that `Retry-After` (a number or a date) asks to wait, at most MAX_RETRY_AFTER_S."""
        value = self.headers.get("Retry-After", "").strip()
        try:
            wait_s = (
                float(value) if value.isdecimal() else parsedate_to_datetime(value).timestamp() - time.time()
            )
        except ValueError:
            return None
        return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


class _NotConnected(HTTPError):
    """No connection came about, so no byte of the request has left."""

    def __init__(self, problem: Exception) -> None:
        super().__init__(f"could not connect: {_in_the_words_of_the_system(problem)}")
        # urllib3 counts a refused connection and a name without an address among its timeouts.
        timed_out = isinstance(problem, ConnectTimeoutError | TimeoutError)
        timed_out = timed_out and not isinstance(problem, NewConnectionError)
        self.kind = NotSentKind.TIMEOUT if timed_out else NotSentKind.NETWORK_ERROR


class _PlainConnection(HTTPConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError) as problem:
            raise _NotConnected(problem) from problem


class _TlsConnection(HTTPSConnection):
    # The handshake is part of connect(). A later TLS error is raised elsewhere: bytes may have left by then.
    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError, ssl.CertificateError) as problem:
            raise _NotConnected(problem) from problem


class HttpClient:
    """Requests to one host, at most `max_connections` at once, without retries or redirects.

    Threads may share it, processes may not: connect after the fork. `connect_timeout_s` bounds the wait for a free
    connection (rounded up), the connect and the TLS handshake, each. `timeout_s` bounds each wait for bytes; both
    together bound the whole answer.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout_s: float,
        timeout_s: float,
        max_connections: int,
        headers: Mapping[str, str],
    ) -> None:
        target = urlsplit(base_url)
        is_tls = target.scheme == "https"
        pool = HTTPSConnectionPool if is_tls else HTTPConnectionPool
        self._pool = pool(
            target.hostname or "",
            target.port,
            timeout=urllib3.Timeout(connect=connect_timeout_s, read=timeout_s),
            maxsize=max_connections,
            block=True,
            retries=False,
        )
        self._pool.ConnectionCls = _TlsConnection if is_tls else _PlainConnection
        self._prefix = target.path.rstrip("/")
        self._headers = dict(headers)
        self._connect_timeout_s, self._timeout_s = connect_timeout_s, timeout_s

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer | NotSent | Unknown:
        """One request, sent at most once."""
        deadline = time.monotonic() + self._connect_timeout_s + self._timeout_s
        try:
            response = self._pool.urlopen(
                method,
                self._prefix + path,
                body=body,
                headers={**self._headers, **(headers or {})},
                retries=False,
                redirect=False,
                pool_timeout=math.ceil(self._connect_timeout_s),
                preload_content=False,
            )
        except _NotConnected as problem:
            return NotSent(str(problem), kind=problem.kind)
        except EmptyPoolError:
            return NotSent("no free connection")
        except ReadTimeoutError:
            return Unknown("read timeout", kind=UnknownKind.ANSWER_TIMEOUT)
        except HTTPError as problem:
            # Also a reset on a kept-alive connection: the gateway may have read the request before it closed.
            return Unknown(_describe(problem))
        return _read(response, deadline)

    def close(self) -> None:
        """Close kept-alive connections."""
        self._pool.close()


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> Answer | Unknown:
    body = bytearray()
    try:
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_BODY_BYTES or time.monotonic() > deadline:
                response.close()
                reason = f"HTTP {response.status} with an answer too long or too slow"
                return Unknown(reason, kind=UnknownKind.UNREADABLE)
    except HTTPError as problem:
        return Unknown(f"HTTP {response.status}, then {_describe(problem)}")
    finally:
        # Also a closed connection goes back: its place in the pool is what is released.
        response.release_conn()
    return Answer(response.status, response.headers, bytes(body))


def _in_the_words_of_the_system(problem: Exception) -> str:
    """`Connection refused`. urllib3's own words name its classes and the address, which no merchant can use."""
    cause = problem.__cause__ if isinstance(problem.__cause__, OSError) else problem
    return str(getattr(cause, "strerror", None) or cause)[:200]


def _describe(problem: BaseException) -> str:
    cause = problem.args[-1] if problem.args and isinstance(problem.args[-1], Exception) else problem
    # Before it is cut: half a card number would not be known as one.
    return f"{type(cause).__name__}: {redact_text(str(cause))[:200]}"
