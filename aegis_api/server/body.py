"""The body of a request: read on the event loop, so that a client that sends it slowly holds no thread.

Granian gives a body whole, or piece by piece. Given whole, a body that ends early or has bad chunks is an error. Given in
pieces, it looks like one that ended: a good body ends with one empty piece, such a one with two. So does a chunked body
with a trailer, which is therefore refused as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Protocol

from aegis_api.http.framing import BodyBroken, BodyLate

from .head import Headers
from .settings import ServerSettings

# After an answer to a body that was not read, this much of it is read on: a connection that is closed with bytes unread is
# reset, and then the client may not see the answer.
_LINGER_S, _LINGER_BYTES = 2.0, 8 << 20


class Exchange(Protocol):
    """Granian's side of one request (RSGI 1.5): its body, and where the answer goes."""

    def __call__(self) -> Awaitable[bytes]: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer. Any thread may call it; a second answer is dropped."""


class Body:
    """The environ's `wsgi.input`. `is_over`: nothing of it is left unread, so the connection may go on."""

    def __init__(
        self, exchange: Exchange, headers: Headers, loop: asyncio.AbstractEventLoop, settings: ServerSettings
    ) -> None:
        self._exchange, self._loop, self._settings = exchange, loop, settings
        length = headers.get("content-length")
        self._chunked = "transfer-encoding" in headers
        self._length = int(length) if length and not self._chunked else 0
        # Whoever expects `100 Continue` sends its body once that is read, which the application may refuse to do.
        self._asked_for = "expect" in headers
        self._got = bytearray()
        self._pieces: AsyncIterator[bytes] | None = None
        self._empty_pieces = 0
        self._failure: Exception | None = None
        self._end = 0.0
        self.is_over = not self._chunked and not self._length

    async def begin(self) -> None:
        """Read it whole, if it is no longer than a usual one. What goes wrong is raised when the application reads."""
        usual = self._settings.usual_body
        if self.is_over or self._asked_for or self._length > usual:
            return
        reading = self._whole() if self._length else self._fill(usual + 1)
        await self._within(self._settings.body_within_s, reading)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, fewer only at the end. For a thread: it waits while the event loop reads.

        Raises BodyLate or BodyBroken.
        """
        if not self.is_over and self._failure is None and (size < 0 or len(self._got) < size):
            self._end = self._end or time.monotonic() + 3 * self._settings.body_within_s
            left_s = self._end - time.monotonic()
            reading = self._within(left_s, self._fill(size if size >= 0 else None))
            asyncio.run_coroutine_threadsafe(reading, self._loop).result()
        if self._failure is not None:
            raise self._failure
        end = len(self._got) if size < 0 else size
        piece = bytes(self._got[:end])
        del self._got[:end]
        return piece

    async def end(self) -> None:
        """After the answer: read on for a moment, if the body came and nobody wanted it; then let go of it.

        Granian closes a connection whose body is not over once nobody holds that body.
        """
        if not self.is_over and self._failure is None:
            await self._within(_LINGER_S, self._fill(None, most=_LINGER_BYTES))
        self._failure = BodyBroken("the request was answered")
        del self._exchange, self._pieces

    async def _within(self, seconds: float, reading: Awaitable[None]) -> None:
        # What asyncio.timeout() does, at half its cost; nobody else cancels a request's task.
        task = asyncio.current_task()
        assert task is not None
        late = self._loop.call_later(max(seconds, 0), task.cancel)
        try:
            await reading
        except asyncio.CancelledError:
            task.uncancel()
            self._failure = BodyLate(f"more than {seconds:.0f} s")
        except Exception as error:  # Granian's own kinds are not public
            self._failure = BodyBroken(type(error).__name__)
        finally:
            late.cancel()

    async def _whole(self) -> None:
        self._got += await self._exchange()
        self.is_over = True

    async def _fill(self, size: int | None, *, most: int | None = None) -> None:
        """Read until there are `size` bytes, or the end. With `most`, forget what is read, and stop after so much."""
        if self._pieces is None:
            self._pieces = aiter(self._exchange)
        forgotten = 0
        while not self.is_over and (size is None or len(self._got) < size):
            # Not anext() with a default: CPython 3.11 crashes on an awaitable that is no coroutine.
            try:
                piece = await anext(self._pieces)
            except StopAsyncIteration:
                self.is_over = True
                break
            if not piece:
                self._empty_pieces += 1
            elif most is None:
                self._got += piece
            elif (forgotten := forgotten + len(piece)) > most:
                return
        if self.is_over and self._empty_pieces > 1:
            self.is_over = False
            raise EOFError
