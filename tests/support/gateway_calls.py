"""Operations of a gateway that a test waits for."""

from __future__ import annotations

from functools import partial

from aegis_worker.domain.exchanges import Note
from aegis_worker.domain.outcomes import Outcome
from aegis_worker.exchange.engine import STUCK, wait_for
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.requests import GatewayRequest


def sent(gateway: PaymentGateway, request: GatewayRequest, note: Note | None = None) -> Outcome:
    """What came of the request's operation. `note` is told of each exchange."""
    begin = partial(gateway.send, request, note=note)
    outcome: Outcome = wait_for(begin, gateway.config.slowest_call_s, STUCK)
    return outcome
