"""From a validated body and the request's headers to a payment command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import request

from aegis_worker.domain.money import Money
from aegis_worker.intake import PaymentCommand
from aegis_worker.strict_json import request_hmac

from . import card_numbers
from .problems import RequestRefused
from .requests import refuse_card_numbers

# What a payment is made once under, whether it comes by itself or in a batch.
PAYMENTS_ROUTE = "POST /v1/payments"
KEY_FORM = re.compile(r"[ -~]{1,255}")
_HEADER = "Idempotency-Key"


def idempotency_key() -> str:
    """The request's Idempotency-Key. Raises RequestRefused where it is missing or not 1 to 255 printable ASCII."""
    key = request.headers.get(_HEADER)
    if key is None:
        raise RequestRefused(
            "idempotency_key_missing",
            "Send an Idempotency-Key header: new for each payment, the same for each try.",
        )
    if not KEY_FORM.fullmatch(key):
        fault = {
            "header": _HEADER,
            "code": "invalid_format",
            "detail": "Must be 1 to 255 printable ASCII characters.",
        }
        raise RequestRefused("idempotency_key_invalid", fault["detail"], [fault])
    if card_numbers.found_in(key):
        refuse_card_numbers([{"header": _HEADER}])
    return key


def command_of(
    merchant_id: str, route: str, key: str, body: Mapping[str, Any], *, secret: str
) -> PaymentCommand:
    """The command that a body validated by PaymentRequestSchema stands for.

    The HMAC covers the body as sent, before anything left out is filled in: a default that changes with a later version
    must not make an old request look like another one.
    """
    return PaymentCommand(
        merchant_id=merchant_id,
        route=route,
        idempotency_key=key,
        request_hmac=request_hmac(secret, route, body),
        amount=Money(body["amount"], body["currency"]),
        capture_method=body.get("capture_method", "automatic"),
        payment_method=body["payment_method"],
        reference=body.get("reference"),
        customer=body.get("customer", {}),
        description=body.get("description"),
        return_url=body.get("return_url"),
        metadata=body.get("metadata", {}),
    )
