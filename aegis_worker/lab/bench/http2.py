"""What Granian serves over HTTP/2 for `aegis bench calls`: 204 to everything, BENCH_ANSWERS_AFTER_MS later."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

_AFTER_S = int(os.environ.get("BENCH_ANSWERS_AFTER_MS", "0")) / 1000


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """An ASGI application."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    if _AFTER_S:
        await asyncio.sleep(_AFTER_S)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
