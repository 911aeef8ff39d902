"""The gateways of config/gateways.toml as the rest of the product uses them: each an adapter and its HTTP clients."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from aegis_worker.domain.outcomes import Lookup, NotSent, Outcome, Unknown
from aegis_worker.gateways.base import (
    Adapter,
    GatewayConfig,
    GatewayEvent,
    GatewayRequest,
    Health,
    PaymentGateway,
    StatusQuery,
)
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall
from aegis_worker.gateways.registry import IN_PROCESS, load_adapters

from .driver import make
from .http_client import HttpClient

T = TypeVar("T")
About = TypeVar("About")


def load_gateways(path: Path, environ: Mapping[str, str] | None = None) -> dict[str, PaymentGateway]:
    """The gateways of a configuration file, in its order. Raises ConfigurationError that names the wrong entry."""
    adapters = load_adapters(path, os.environ if environ is None else environ)
    return {name: LoadedGateway(adapter) for name, adapter in adapters.items()}


class LoadedGateway:
    """A `PaymentGateway`: carries out an adapter's flows over HTTP on the calling thread.

    All calls of one operation together take no longer than `config.slowest_call_s`.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.config = adapter.config
        self.capabilities = adapter.capabilities
        self._adapter = adapter
        self._clients = _Clients(adapter.config)

    def initiate(self, request: GatewayRequest) -> Outcome:
        """Create the payment at the gateway without moving money."""
        return self._made(self._adapter.initiate, request)

    def authenticate(self, request: GatewayRequest) -> Outcome:
        """Make the gateway accept the payer."""
        return self._made(self._adapter.authenticate, request)

    def process(self, request: GatewayRequest) -> Outcome:
        """Charge, or authorize."""
        return self._made(self._adapter.process, request)

    def capture(self, request: GatewayRequest) -> Outcome:
        """Capture an authorized payment."""
        return self._made(self._adapter.capture, request)

    def void(self, request: GatewayRequest) -> Outcome:
        """Release an authorized payment."""
        return self._made(self._adapter.void, request)

    def refund(self, request: GatewayRequest) -> Outcome:
        """Return what was captured."""
        return self._made(self._adapter.refund, request)

    def get_status(self, query: StatusQuery) -> Lookup:
        """The outcome of an operation, looked up by the gateway's own id."""
        return _found(self._made(self._adapter.get_status, query))

    def find_by_reference(self, query: StatusQuery) -> Lookup:
        """The outcome of an operation, looked up by our reference."""
        return _found(self._made(self._adapter.find_by_reference, query))

    def health_check(self) -> Health:
        """Whether the gateway answers, and how fast."""
        started = time.monotonic()
        said = self._made(lambda _: self._adapter.health_check(), None)
        latency_ms = round((time.monotonic() - started) * 1000)
        if isinstance(said, Health):
            return replace(said, latency_ms=latency_ms)
        return Health(False, latency_ms, said.reason)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> GatewayEvent:
        """Check signature and age, then translate. Raises `errors.InvalidWebhook`."""
        return self._adapter.parse_webhook(headers, body)

    def close(self) -> None:
        """Close kept-alive connections."""
        self._clients.close()

    def _made(self, operation: Callable[[About], Flow[T]], about: About) -> T | NotSent | Unknown:
        return make(
            _begun(operation, about),
            self._clients,
            within_s=self.config.slowest_call_s,
            gateway=self.config.name,
        )


class _Clients:
    """A client for the gateway's base URL, and one for each other URL that its adapter calls, made at the first call."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._by_url: dict[str, HttpClient] = {}
        if config.adapter not in IN_PROCESS:
            # Make the first client now, so that wrong certificates show at the start and not with the first payment.
            self._by_url[config.base_url] = self._client(config.base_url)

    def send(self, call: HttpCall, *, deadline: float) -> HttpAnswer | NotSent | Unknown:
        base_url = call.base_url or self._config.base_url
        client = self._by_url.get(base_url)
        if client is None:
            # If two threads make the first call at the same time, one of the two clients is never used.
            client = self._by_url.setdefault(base_url, self._client(base_url))
        return client.send(call, deadline=deadline)

    def close(self) -> None:
        for client in list(self._by_url.values()):
            client.close()

    def _client(self, base_url: str) -> HttpClient:
        return HttpClient(
            base_url,
            connect_timeout_s=self._config.connect_timeout_s,
            timeout_s=self._config.timeout_s,
            max_connections=self._config.max_connections,
            headers={},
        )


def _begun(operation: Callable[[About], Flow[T]], about: About) -> Flow[T]:
    """The flow of an operation. It calls the adapter inside the driver, which handles the adapter's mistakes."""
    return (yield from operation(about))


def _found(said: Lookup | NotSent) -> Lookup:
    """A look-up that was not sent tells as little as one without an answer, so it is Unknown as well."""
    return Unknown(said.reason) if isinstance(said, NotSent) else said
