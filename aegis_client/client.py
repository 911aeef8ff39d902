"""The clients: for threads, and for asyncio. Both carry out the same flows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import httpx

from . import transport
from .calls import Answer, Call, NoAnswer
from .flows import Flow, Pause, Retries, Way, answered, batch, done, ended
from .models import BatchLine, BatchResult
from .resources import AsyncResources, Resources
from .version import VERSION

T = TypeVar("T")

_BATCHES = "/v1/payments/batches"


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


class Client(Resources):
    """One API under one key. Safe to share between threads.

    with Client("http://127.0.0.1:8000", key) as aegis:
        payment = aegis.payments.create(
            idempotency_key="order-1042",
            amount=1999,
            currency="USD",
            payment_method={"type": "card", "token": "tok_ok"},
        )
        job = aegis.ended(payment["job"], timeout_s=30)

    Calls that fail for now are made again, up to `retries.tries` times, with the same idempotency key. `answer_within_s`
    bounds each of them; the API itself waits for at most 10 s. `pause` waits, and says whether to stop instead of going
    on. Raises ValueError for an address or key that can't be used, and what `errors` has.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        connections: int = 10,
        connect_within_s: float = 3.0,
        answer_within_s: float = 30.0,
        retries: Retries | None = None,
        pause: Callable[[float], bool] = _sleep,
        agent: str = f"aegis-client/{VERSION}",
    ) -> None:
        super().__init__(self._sent)
        self.url = transport.checked(url)
        self._answer_within_s, self._pause = answer_within_s, pause
        self._sockets = transport.Sockets()
        self._way = Way(self.url, retries or Retries(), time.monotonic)
        self._http = httpx.Client(
            base_url=self.url,
            headers=transport.headers(key, agent),
            timeout=transport.timeouts(connect_within_s, answer_within_s),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    def answer(self, asked: Call) -> Answer:
        """The answer to a call, a refusal as well. Raises NotAnswered."""
        return self.run(answered(asked, self._way))

    def post_batch(self, lines: Sequence[BatchLine]) -> list[BatchResult]:
        """Post many payments, each with its key; what each was told, in order. Posted in halves where it is too large."""
        return self.run(batch(_BATCHES, lines, self._way))

    def ended(self, job: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """The job, or any order such as a refund, at its end, or as it stands after `timeout_s` seconds."""
        latest: dict[str, Any] = self.run(ended(job["links"]["self"], timeout_s, self._way))
        return latest

    def run(self, flow: Flow[T]) -> T:
        """Carry out a flow to its result."""
        try:
            step = next(flow)
            while True:
                step = flow.send(self._done(step))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def _sent(self, asked: Call) -> Any:
        return self.run(done(asked, self._way))

    def _done(self, step: Call | Pause) -> Answer | NoAnswer | bool:
        if isinstance(step, Pause):
            return self._pause(step.seconds)
        return transport.sent(self._http, step, self._answer_within_s, self._sockets)

    def close(self) -> None:
        """Close the connections, and end the calls that other threads wait for."""
        self._sockets.end()
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(AsyncResources):
    """As `Client`, for asyncio: `async with AsyncClient(url, key) as aegis: await aegis.payments.create(...)`."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        connections: int = 100,
        connect_within_s: float = 3.0,
        answer_within_s: float = 30.0,
        retries: Retries | None = None,
        agent: str = f"aegis-client/{VERSION}",
    ) -> None:
        super().__init__(self._sent)
        self.url = transport.checked(url)
        self._answer_within_s = answer_within_s
        self._way = Way(self.url, retries or Retries(), time.monotonic)
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers=transport.headers(key, agent),
            timeout=transport.timeouts(connect_within_s, answer_within_s),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    async def answer(self, asked: Call) -> Answer:
        """The answer to a call, a refusal as well. Raises NotAnswered."""
        return await self.run(answered(asked, self._way))

    async def post_batch(self, lines: Sequence[BatchLine]) -> list[BatchResult]:
        """Post many payments, each with its key; what each was told, in order. Posted in halves where it is too large."""
        return await self.run(batch(_BATCHES, lines, self._way))

    async def ended(self, job: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """The job, or any order such as a refund, at its end, or as it stands after `timeout_s` seconds."""
        latest: dict[str, Any] = await self.run(ended(job["links"]["self"], timeout_s, self._way))
        return latest

    async def run(self, flow: Flow[T]) -> T:
        """Carry out a flow to its result."""
        try:
            step = next(flow)
            while True:
                step = flow.send(await self._done(step))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def _sent(self, asked: Call) -> Any:
        return await self.run(done(asked, self._way))

    async def _done(self, step: Call | Pause) -> Answer | NoAnswer | bool:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return False
        return await transport.sent_async(self._http, step, self._answer_within_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
