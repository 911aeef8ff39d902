"""HTTP by httpx: one request there, one answer back, within a time and a size of our own."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

import httpx

from .calls import Answer, Call, NoAnswer

_MAX_ANSWER_BYTES = 1 << 26
_TOO_LONG, _LATE = NoAnswer("the answer is too long", was_sent=True), NoAnswer("timed out", was_sent=True)
_SENDING = "http11.send_request_headers.started"
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
        # A name and a password would be sent in place of the key, and stand in messages.
        good = good and not (parts.query or parts.fragment or "@" in parts.netloc or re.search(r"\s", url))
        good = good and bool(httpx.URL(url).host)
    except (ValueError, TypeError, AttributeError, httpx.InvalidURL):
        good = False
    if not good:
        raise ValueError("the API's address is not an http or https URL such as http://127.0.0.1:8000")
    return url.rstrip("/")


def timeouts(connect_s: float, answer_s: float) -> httpx.Timeout:
    """How long to wait for a connection, for one of the pool, and for each read and write."""
    return httpx.Timeout(answer_s, connect=connect_s)


class Sockets:
    """The connections that are open, so that calls which other threads wait for can be ended, and the time that each thread
    has left for its answer: httpx bounds each read by itself, and a byte at a time could hold a caller for hours.
    """

    def __init__(self) -> None:
        self._streams: WeakSet[Any] = WeakSet()
        self._call = threading.local()

    def begin(self, answer_within_s: float) -> None:
        """This thread makes a call. The time for its answer begins anew with its sending, once there is a connection."""
        self._call.within_s = answer_within_s
        self._call.until_s = time.monotonic() + answer_within_s

    @property
    def left_s(self) -> float:
        """How many seconds this thread's answer may still take."""
        left_s: float = self._call.until_s - time.monotonic()
        return left_s

    def noted(self, event: str, about: Mapping[str, Any]) -> None:
        """What httpcore tells of a connection."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            stream = about["return_value"]
            stream.read = partial(self._read, stream.read)
            self._streams.add(stream)
        elif event == _SENDING:
            self._call.until_s = time.monotonic() + self._call.within_s

    def _read(self, read: Callable[..., bytes], max_bytes: int, timeout: float | None = None) -> bytes:
        left_s = self.left_s
        if left_s <= 0:
            raise httpx.ReadTimeout("timed out")
        return read(max_bytes, left_s if timeout is None else min(left_s, timeout))

    def end(self) -> None:
        """Shut all of them down. Closing alone wakes no thread that waits for an answer."""
        for stream in list(self._streams):
            with suppress(OSError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def sent(client: httpx.Client, asked: Call, answer_within_s: float, sockets: Sockets) -> Answer | NoAnswer:
    """Make one call in this thread."""
    sockets.begin(answer_within_s)
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
                if len(received) > _MAX_ANSWER_BYTES:
                    return _TOO_LONG
                if sockets.left_s < 0:
                    return _LATE
            return _answer(response, bytes(received))
    except httpx.HTTPError as error:
        return _no_answer(error)


async def sent_async(client: httpx.AsyncClient, asked: Call, answer_within_s: float) -> Answer | NoAnswer:
    """Make one call in this event loop."""
    try:
        async with asyncio.timeout(None) as bound:

            async def noted(event: str, about: Mapping[str, Any]) -> None:
                if event == _SENDING:
                    bound.reschedule(asyncio.get_running_loop().time() + answer_within_s)

            async with client.stream(
                asked.method,
                asked.path,
                content=asked.body,
                headers=dict(asked.headers),
                extensions={"trace": noted},
            ) as response:
                received = bytearray()
                async for some in response.aiter_bytes():
                    received += some
                    if len(received) > _MAX_ANSWER_BYTES:
                        return _TOO_LONG
                return _answer(response, bytes(received))
    except TimeoutError:
        return _LATE
    except httpx.HTTPError as error:
        return _no_answer(error)


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(response.status_code, _json_object(body), response.headers)


def _json_object(data: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _no_answer(error: httpx.HTTPError) -> NoAnswer:
    was_sent = not isinstance(error, _NEVER_SENT)
    if isinstance(error, httpx.TimeoutException):
        return NoAnswer("timed out", was_sent)
    if isinstance(error, httpx.ConnectError):
        return NoAnswer("connection refused or host unknown; is it running?", was_sent)
    return NoAnswer(str(error) or type(error).__name__, was_sent)
