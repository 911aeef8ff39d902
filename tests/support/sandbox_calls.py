"""The sandbox adapter, and calls to make with it."""

from __future__ import annotations

import uuid
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Operation
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from support.sandbox_process import API_KEY

WEBHOOK_SECRET = "whsec_test"


def adapter_for(base_url: str, **config: Any) -> LoadedGateway:
    settings = {
        "name": "sandbox_a",
        "adapter": "sandbox",
        "api_key": API_KEY,
        "webhook_secrets": (WEBHOOK_SECRET,),
    }
    return LoadedGateway(SandboxAdapter(GatewayConfig(base_url=base_url, **settings | config)))


def request(
    token: str = "tok_ok", operation: Operation = Operation.PROCESS, *, capture: bool = True, **terms: Any
) -> GatewayRequest:
    key = uuid.uuid4().hex
    given: dict[str, Any] = {
        "amount": Money(1999, "USD"),
        "payment_method": {"type": "card", "token": token},
        "capture_method": "automatic" if capture else "manual",
    }
    return GatewayRequest(operation, f"pay_{key}", key, PaymentTerms(**given | terms))


def later(first: GatewayRequest, operation: Operation, ref: str, minor: int = 1999) -> GatewayRequest:
    """A later operation on the payment of `first`, with its own key."""
    key = uuid.uuid4().hex
    call = replace(first, operation=operation, gateway_ref=ref, idempotency_key=key)
    return moving(call, Money(minor, "USD"))


def moving(call: GatewayRequest, amount: Money) -> GatewayRequest:
    """The same call with another amount."""
    return replace(call, terms=replace(call.terms, amount=amount))


def query(about: GatewayRequest, ref: str | None = None) -> StatusQuery:
    return StatusQuery(about.operation, about.idempotency_key, ref, about.amount)


def charged(ref: str, captured_minor: int = 1999, refunded_minor: int = 0) -> Approved:
    """An approved charge with the sums that the sandbox shows of it."""
    return Approved(ref, captured_minor > 0, captured_minor, refunded_minor)


def approved_ref(outcome: object) -> str:
    assert isinstance(outcome, Approved)
    return outcome.gateway_ref
