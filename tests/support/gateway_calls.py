"""Operations of a gateway that a test waits for."""

from __future__ import annotations

from functools import partial

from aegis_worker.domain.outcomes import Outcome
from aegis_worker.exchange.engine import STUCK, wait_for
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.requests import GatewayRequest


def sent(gateway: PaymentGateway, request: GatewayRequest) -> Outcome:
    """What came of the request's operation."""
    outcome: Outcome = wait_for(partial(gateway.send, request), gateway.config.slowest_call_s, STUCK)
    return outcome
