"""A gateway that approves everything and stores nothing: measures AegisPay without a real gateway's costs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.outcomes import Approved, Lookup, NotFound, Operation, Outcome, Unknown
from aegis_worker.domain.payment import METHODS
from aegis_worker.errors import ConfigurationError, InvalidWebhook

from ..base import GatewayEvent
from ..capabilities import Capabilities
from ..config import GatewayConfig
from ..kit.allow_list import AllowList
from ..kit.flows import Flow, Pause
from ..kit.probing import Probed, Standing
from ..requests import DisputeQuery, GatewayRequest, StatusQuery

_MOST_LATENCY_MS = 60_000
_KEY_LIFETIME_S = 86_400.0


class NullAdapter:
    """Calls nobody and approves, after a pause of `latency_ms` (option, default 0).

    Look-ups never find anything here, so a call whose worker died is repeated under its key, which costs nobody anything.
    Its answers come from inside the process and need no proof of identity, so it declares nothing.
    Production refuses it (`wiring.checks`).
    """

    decline_codes: ClassVar[Mapping[str, str]] = {}
    allow_list: ClassVar[AllowList] = AllowList()

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        self.capabilities = Capabilities(
            (Operation.PROCESS,),
            _KEY_LIFETIME_S,
            absence_window_s=0.0,
            methods=dict.fromkeys(METHODS, frozenset()),
            bare_tokens=re.compile(".+"),
        )
        self._latency_s = _latency_s(config)

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        """Approve; captured unless the funds are only to be held."""
        if self._latency_s:
            yield Pause(self._latency_s)
        return Approved(request.gateway_ref or f"null_{request.payment_id}", captured=request.capture)

    # All operations do the same.
    initiate = authenticate = confirm = capture = void = refund = close = process

    def get_status(self, query: StatusQuery) -> Flow[Lookup]:
        """Nothing is kept."""
        yield from ()
        return NotFound()

    find_by_reference = get_status

    def get_dispute(self, query: DisputeQuery) -> Flow[DisputeLookup]:
        """Nobody disputes what nobody paid."""
        yield from ()
        return Unknown("the null gateway has no disputes")

    def probe(self) -> Flow[Probed]:
        """Nobody is there to refuse anything."""
        yield from ()
        return Probed(Standing.TAKEN)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Raises InvalidWebhook, because this gateway sends no webhooks."""
        raise InvalidWebhook("the null gateway sends no webhooks")

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """Raises InvalidWebhook."""
        raise InvalidWebhook("the null gateway sends no challenges")


def _latency_s(config: GatewayConfig) -> float:
    latency_ms = config.options.get("latency_ms", 0)
    if isinstance(latency_ms, bool) or not isinstance(latency_ms, int | float):
        raise ConfigurationError(f"gateways.{config.name}.options.latency_ms: must be a number")
    if not 0 <= latency_ms <= _MOST_LATENCY_MS:
        raise ConfigurationError(
            f"gateways.{config.name}.options.latency_ms: must be 0 to {_MOST_LATENCY_MS}"
        )
    return latency_ms / 1000
