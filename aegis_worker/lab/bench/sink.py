"""A server that costs next to nothing: a process of its own that answers 204 to whatever is posted.

`python -m aegis_worker.lab.bench.sink PORT MS [PORT FILE KEY]`, where MS is how long it waits before each answer; on the
second port it speaks TLS, with this certificate. It stands for webhook endpoints and for gateways. It checks no signature;
`aegis demo` does.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from functools import partial

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One sender's connection: requests one after the other, each answered once its body is whole."""

    def __init__(self, answers_after_s: float) -> None:
        self._answers_after_s = answers_after_s
        self._got = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer on."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole by now."""
        assert self._transport is not None
        self._got += data
        while (end := self._got.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._got, 0, end)
            needed = end + 4 + (int(length.group(1)) if length else 0)
            if len(self._got) < needed:
                return
            if self._got.startswith(b"GET"):
                self._transport.write(_HEALTHY)
            elif self._answers_after_s:
                asyncio.get_running_loop().call_later(self._answers_after_s, self._transport.write, _ANSWER)
            else:
                self._transport.write(_ANSWER)
            self._got = self._got[needed:]


async def serve(port: int, answers_after_ms: int, tls_port: int = 0, file: str = "", key: str = "") -> None:
    """Until the process is ended."""
    connection = partial(Connection, answers_after_ms / 1000)
    loop = asyncio.get_running_loop()
    if tls_port:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(file, key)
        await loop.create_server(connection, "127.0.0.1", tls_port, ssl=tls, backlog=4096)
    server = await loop.create_server(connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(
        serve(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3] if sys.argv[3:] else 0), *sys.argv[4:])
    )
