"""The gateways of config/gateways.toml as the rest of the product uses them: each an adapter whose calls are made."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace as with_fields

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.exchanges import Note
from aegis_worker.domain.outcomes import Lookup, NotSent, Outcome, Unknown
from aegis_worker.domain.twins import beside
from aegis_worker.errors import InvalidWebhook
from aegis_worker.gateways.base import Adapter, GatewayEvent, PaymentGateway, SignsWithCertificates
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.gateways_file import load_adapters
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall
from aegis_worker.gateways.kit.probing import Probed, Standing, clock_ahead_s
from aegis_worker.gateways.requests import DisputeQuery, GatewayRequest, StatusQuery

from .driver import Client, Notes, ReadTold, make, nothing_told
from .engine import ENGINE, STUCK, Engine, wait_for
from .noting import Noting
from .opening import Opener, OpensCard, no_vault
from .transfers import Done, Peer, Result, Transfer
from .watched import Begin, about, watched

# Longer than any gateway takes that payments can be sent to; a person waits for it.
PROBE_S = 10.0
T = TypeVar("T")
About = TypeVar("About")


def load_gateways(
    path: Path,
    environ: Mapping[str, str] | None = None,
    *,
    ca_bundle: Path | None = None,
    told: Callable[[GatewayConfig], ReadTold] = lambda config: nothing_told,
    opens_card: OpensCard = no_vault,
) -> dict[str, PaymentGateway]:
    """The gateways of a configuration file, in its order. Raises ConfigurationError that names the wrong entry.

    `ca_bundle`: the certificates to trust where a gateway has none of its own, a PEM file; by default those of certifi.
    `told`: for each gateway, where to read what it has told by itself. `opens_card`: opens cards of the vault.
    """
    opener = Opener(opens_card)
    adapters = load_adapters(path, os.environ if environ is None else environ)
    return {
        name: LoadedGateway(adapter, ca_bundle=ca_bundle, read_told=told(adapter.config), opener=opener)
        for name, adapter in adapters.items()
    }


class LoadedGateway:
    """A `PaymentGateway`: has an adapter's calls made by the engine.

    All calls of one operation together take no longer than `config.slowest_call_s`.
    """

    def __init__(
        self,
        adapter: Adapter,
        engine: Engine = ENGINE,
        *,
        ca_bundle: Path | None = None,
        read_told: ReadTold = nothing_told,
        opener: Opener | None = None,
    ) -> None:
        self.config = adapter.config
        self.capabilities = adapter.capabilities
        self._adapter, self._engine, self._read_told = adapter, engine, read_told
        self._opener = opener or Opener()
        self._client: Client = _Client(adapter.config, engine, ca_bundle)
        self._noting = Noting(adapter.allow_list)

    def send(
        self,
        request: GatewayRequest,
        done: Callable[[Outcome], None],
        may_leave: Callable[[], bool] | None = None,
        note: Note | None = None,
    ) -> None:
        """Carry out the request's operation, without waiting for it."""
        operation: Callable[[GatewayRequest], Flow[Outcome]] = getattr(self._adapter, request.operation.value)
        self._make(operation, request, done, may_leave, self._notes(note))

    def ask(self, query: StatusQuery, done: Callable[[Lookup], None], note: Note | None = None) -> None:
        """Look up, by the gateway's own id if it is known and else by our reference, without waiting for it.

        Where the gateway can't be asked about the operation, its adapter reads what it has told by itself: Unknown of the
        kind NO_LOOK_UP where that is nothing.
        """
        by_id = query.gateway_ref is not None
        look_up = self._adapter.get_status if by_id else self._adapter.find_by_reference
        if by_id and query.twins and self.capabilities.shows_twins:
            look_up = self._with_twins
        self._make(look_up, query, lambda said: done(_found(said)), notes=self._notes(note))

    def _with_twins(self, query: StatusQuery) -> Flow[Lookup]:
        """By the id, and then whatever else carries our reference."""
        said = yield from self._adapter.get_status(query)
        by_reference = with_fields(query, gateway_ref=None, movements=False)
        return beside(said, (yield from self._adapter.find_by_reference(by_reference)))

    def ask_and_wait(self, query: StatusQuery, note: Note | None = None) -> Lookup:
        """Look up, and wait for the answer."""
        asked: Begin[Lookup] = watched(partial(self.ask, query, note=note), about(self.config.name, query))
        stuck: Lookup = STUCK
        return wait_for(asked, self.config.slowest_call_s, stuck)

    def ask_dispute(
        self, query: DisputeQuery, done: Callable[[DisputeLookup], None], note: Note | None = None
    ) -> None:
        """Look up how a dispute stands, without waiting for it."""
        self._make(self._adapter.get_dispute, query, lambda said: done(_found(said)), notes=self._notes(note))

    def ask_dispute_and_wait(self, query: DisputeQuery, note: Note | None = None) -> DisputeLookup:
        """Look up how a dispute stands, and wait for the answer."""
        asked: Begin[DisputeLookup] = watched(
            partial(self.ask_dispute, query, note=note), about(self.config.name, query)
        )
        stuck: DisputeLookup = STUCK
        return wait_for(asked, self.config.slowest_call_s, stuck)

    def probe(self) -> Probed:
        """Whether the gateway answers and takes our credentials, and what time it is there, within PROBE_S."""
        ahead_s: list[float | None] = []

        def noted(call: HttpCall, result: Result, began_s: float, took_ms: float) -> None:
            if isinstance(result, HttpAnswer):
                answered_at = time.time()
                ahead_s.append(clock_ahead_s(result, answered_at - took_ms / 1000, answered_at))

        within_s, started = min(self.config.slowest_call_s, PROBE_S), time.monotonic()
        said: Probed | NotSent | Unknown = wait_for(
            partial(self._make, lambda _: self._adapter.probe(), None, notes=noted, within_s=within_s),
            within_s,
            STUCK,
        )
        latency_ms = round((time.monotonic() - started) * 1000)
        if not isinstance(said, Probed):
            return Probed(Standing.SILENT, said.reason, latency_ms)
        return replace(said, latency_ms=latency_ms, clock_ahead_s=ahead_s[-1] if ahead_s else None)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check signature and age, then translate all events in the body. Raises `errors.InvalidWebhook`."""
        return self._adapter.parse_webhook(headers, body)

    def verify_webhook(
        self, headers: Mapping[str, str], body: bytes, received_at: datetime
    ) -> Sequence[GatewayEvent] | NotSent | Unknown:
        """As `parse_webhook`, of a webhook that came at this time. Waits for its certificate if that has to be fetched."""
        adapter = self._adapter
        if not isinstance(adapter, SignsWithCertificates):
            return self._adapter.parse_webhook(headers, body)
        said: Sequence[GatewayEvent] | InvalidWebhook | NotSent | Unknown = wait_for(
            partial(self._make, lambda _: adapter.verify_webhook(headers, body, received_at), None),
            self.config.slowest_call_s,
            STUCK,
        )
        if isinstance(said, InvalidWebhook):
            raise said
        return said

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """What a GET of the webhooks' address is answered with. Raises `errors.InvalidWebhook`."""
        return self._adapter.answer_challenge(query)

    def through(self, wrap: Callable[[Client], Client]) -> LoadedGateway:
        """The same gateway, whose calls go through what `wrap` makes of its client."""
        other = copy(self)
        other._client = wrap(self._client)
        return other

    def close_connections(self) -> None:
        """Close kept-alive connections, unless some are in use."""
        self._engine.close_idle()

    def _make(
        self,
        operation: Callable[[About], Flow[T]],
        subject: About,
        done: Callable[[T | NotSent | Unknown], None],
        may_leave: Callable[[], bool] | None = None,
        notes: Notes | None = None,
        within_s: float | None = None,
    ) -> None:
        make(
            _begun(operation, subject),
            self._client,
            done,
            within_s=within_s or self.config.slowest_call_s,
            gateway=self.config.name,
            may_leave=may_leave,
            notes=notes,
            read_told=self._read_told,
            opener=self._opener,
        )

    def _notes(self, note: Note | None) -> Notes | None:
        if note is None:
            return None

        def noted(call: HttpCall, result: Result, began_s: float, took_ms: float) -> None:
            note(self._noting.noted(call, result, began_s, took_ms))

        return noted


class _Client:
    """Has calls made at the gateway's base URL, and at other URLs that its adapter calls. They share its places."""

    def __init__(self, config: GatewayConfig, engine: Engine, ca_bundle: Path | None) -> None:
        self._base_url, self._engine = config.base_url, engine
        self._peer = Peer(
            connect_timeout_s=config.connect_timeout_s,
            timeout_s=config.timeout_s,
            most=config.max_connections,
            ca_bundle=config.ca_bundle or ca_bundle,
            certificate=config.certificate,
            certificate_key=config.certificate_key,
            proxy=config.proxy,
        )
        self.after = engine.after

    def begin(
        self, call: HttpCall, done: Done, *, deadline: float, may_leave: Callable[[], bool] | None
    ) -> None:
        url = (call.base_url or self._base_url).rstrip("/") + call.path
        headers = {"User-Agent": "AegisPay", **call.headers}
        transfer = Transfer(
            self._peer, call.method, url, headers, call.body, call.only_reads, may_leave, deadline
        )
        self._engine.begin(transfer, done)


def _begun(operation: Callable[[About], Flow[T]], subject: About) -> Flow[T]:
    """The flow of an operation. It calls the adapter inside the driver, which handles the adapter's mistakes."""
    return (yield from operation(subject))


def _found(said: T | NotSent) -> T | Unknown:
    """A look-up that was not sent tells as little as one without an answer, so it is Unknown as well."""
    return Unknown(said.reason) if isinstance(said, NotSent) else said
