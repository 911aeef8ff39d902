"""A TCP proxy on loopback between a client and a server, with faults that a test switches on and off."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 65_536
_ANSWER_S = 10.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class TcpProxy:
    """Forwards to 127.0.0.1:`port` from its own thread. `heal` ends a fault, but connections that it cut stay cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._delay_s = 0.0
        self._swallow = self._answers_only = self._reset = False
        self._from_prefix = b""
        self._open: dict[asyncio.StreamWriter, _Fate] = {}
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self._thread.start()
        self.port = 0
        self._wait_for(self._listen())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wait_for(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def in_front_of(self, url: str) -> str:
        """The server's URL with this proxy's port."""
        parts = urlsplit(url)
        assert parts.port == self._target, url
        return urlunsplit(
            parts._replace(netloc=parts.netloc.removesuffix(f":{parts.port}") + f":{self.port}")
        )

    def blackhole(self, *, answers_only: bool = False, from_prefix: bytes = b"") -> None:
        """Drop bytes silently, as a half-open connection does. Connections that exist now never work again.

        `answers_only`: what the client sends still arrives. `from_prefix`: a connection works until its client sends
        something that begins with this.
        """
        self._wait_for(self._set(swallow=True, answers_only=answers_only, from_prefix=from_prefix))

    def reset(self) -> None:
        """Reset every connection, new ones as well."""
        self._wait_for(self._set(reset=True))

    def delay(self, seconds: float) -> None:
        """Delay everything by `seconds`, each way."""
        self._wait_for(self._set(delay_s=seconds))

    def refuse(self) -> None:
        """Refuse connections, and reset those that exist."""
        self._wait_for(self._set(reset=True))
        self._wait_for(self._stop_listening())

    def heal(self) -> None:
        """Forward new connections again."""
        self._wait_for(self._set())
        self._wait_for(self._listen())

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_S)

    async def _set(
        self,
        *,
        swallow: bool = False,
        answers_only: bool = False,
        from_prefix: bytes = b"",
        reset: bool = False,
        delay_s: float = 0.0,
    ) -> None:
        self._swallow, self._answers_only, self._from_prefix = swallow, answers_only, from_prefix
        self._reset, self._delay_s = reset, delay_s
        for writer, fate in list(self._open.items()):
            if swallow and not from_prefix:
                fate.lose(answers_only)
            if reset:
                _cut(writer)

    async def _listen(self) -> None:
        if self._server and self._server.is_serving():
            return
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server:
            self._server.close()

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        for writer in list(self._open):
            _cut(writer)
        forwarding = asyncio.all_tasks() - {asyncio.current_task()}
        for task in forwarding:
            task.cancel()
        await asyncio.gather(*forwarding, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._reset:
            _cut(writer)
            return
        try:
            upstream, to_upstream = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _cut(writer)
            return
        fate = _Fate()
        if self._swallow and not self._from_prefix:
            fate.lose(self._answers_only)
        self._open |= {writer: fate, to_upstream: fate}
        await asyncio.gather(
            self._pump(reader, to_upstream, fate, asking=True),
            self._pump(upstream, writer, fate, asking=False),
        )

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: _Fate, *, asking: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await asyncio.sleep(self._delay_s)
                if asking and self._from_prefix and data.startswith(self._from_prefix):
                    fate.lose(self._answers_only)
                if not (fate.questions_lost if asking else fate.answers_lost):
                    writer.write(data)
                    await writer.drain()
        # The other side of a lost connection does not learn that this one has gone.
        if not fate.answers_lost:
            self._open.pop(writer, None)
            writer.close()


class _Fate:
    """The fate of one connection, shared by both of its directions."""

    def __init__(self) -> None:
        self.questions_lost = self.answers_lost = False

    def lose(self, answers_only: bool) -> None:
        """Lose bytes from now on."""
        self.answers_lost = True
        self.questions_lost |= not answers_only


def _cut(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
