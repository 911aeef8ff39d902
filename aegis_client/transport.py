"""HTTP by httpx: one request there, one answer back, within a time and a size of our own."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

import httpx

from .calls import Answer, Call, NoAnswer

_MAX_ANSWER_BYTES = 1 << 26
# httpx bounds each read by itself; the whole answer is bounded here, or a byte at a time could hold a caller for hours.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def headers(key: str, agent: str) -> dict[str, str]:
    """What every request carries. Raises ValueError for a key that can't stand in a header."""
    if not (key and key.isascii() and key.isprintable()):
        raise ValueError("the API key is missing or not printable ASCII")
    return {"Authorization": f"Bearer {key}", "Accept": "application/json", "User-Agent": agent}


def checked(url: str) -> str:
    """The API's address without a slash at its end. Raises ValueError, which does not repeat what was given."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        good = good and bool(httpx.URL(url).host)
    except (ValueError, httpx.InvalidURL):
        good = False
    if not good:
        raise ValueError("the API's address is not an http or https URL such as http://127.0.0.1:8000")
    return url.rstrip("/")


def timeouts(connect_s: float, answer_s: float) -> httpx.Timeout:
    """How long to wait for a connection, for one of the pool, and for each read and write."""
    return httpx.Timeout(answer_s, connect=connect_s)


class Sockets:
    """The connections that are open, so that calls which other threads wait for can be ended."""

    def __init__(self) -> None:
        self._streams: WeakSet[Any] = WeakSet()

    def noted(self, event: str, about: Mapping[str, Any]) -> None:
        """Note a connection that opens or closes; httpcore calls this."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._streams.add(about["return_value"])

    def end(self) -> None:
        """Shut all of them down. Closing alone wakes no thread that waits for an answer."""
        for stream in list(self._streams):
            with suppress(OSError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def sent(client: httpx.Client, asked: Call, answer_within_s: float, sockets: Sockets) -> Answer | NoAnswer:
    """Make one call in this thread."""
    gives_up_at_s = time.monotonic() + answer_within_s
    try:
        with client.stream(
            asked.method,
            asked.path,
            content=asked.body,
            headers=dict(asked.headers),
            extensions={"trace": sockets.noted},
        ) as response:
            received = bytearray()
            for some in response.iter_bytes():
                received += some
                if problem := _too_much(received, gives_up_at_s):
                    return problem
            return _answer(response, bytes(received))
    except httpx.HTTPError as error:
        return _no_answer(error)


async def sent_async(client: httpx.AsyncClient, asked: Call, answer_within_s: float) -> Answer | NoAnswer:
    """Make one call in this event loop."""
    gives_up_at_s = time.monotonic() + answer_within_s
    try:
        async with client.stream(
            asked.method, asked.path, content=asked.body, headers=dict(asked.headers)
        ) as response:
            received = bytearray()
            async for some in response.aiter_bytes():
                received += some
                if problem := _too_much(received, gives_up_at_s):
                    return problem
            return _answer(response, bytes(received))
    except httpx.HTTPError as error:
        return _no_answer(error)


def _too_much(received: bytearray, gives_up_at_s: float) -> NoAnswer | None:
    if len(received) > _MAX_ANSWER_BYTES:
        return NoAnswer("the answer is too long", was_sent=True)
    if time.monotonic() > gives_up_at_s:
        return NoAnswer("timed out", was_sent=True)
    return None


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(response.status_code, _json_object(body), response.headers)


def _json_object(data: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _no_answer(error: httpx.HTTPError) -> NoAnswer:
    was_sent = not isinstance(error, _NEVER_SENT)
    if isinstance(error, httpx.TimeoutException):
        return NoAnswer("timed out", was_sent)
    if isinstance(error, httpx.ConnectError):
        return NoAnswer("connection refused or host unknown; is it running?", was_sent)
    return NoAnswer(str(error) or type(error).__name__, was_sent)
