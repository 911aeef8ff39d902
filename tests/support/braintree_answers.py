"""Braintree's answers as values, and flows of its adapter that are run by hand. The SDK writes and reads the XML."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from braintree.util.xml_util import XmlUtil
from msgspec.structs import replace

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.braintree.adapter import BraintreeAdapter
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import HttpAnswer, HttpCall
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

MERCHANT, PUBLIC, PRIVATE = "merchant_1", "public_1", "private_1"
ACCOUNTS = {"USD": "shop_usd", "JPY": "shop_jpy"}
PAYMENT, SALE, GIVEN_BACK = "pay_0123456789abcdef0123456789abcdef", "k7gx9q2m", "r3fb8d1c"
NOW_S = 1_790_000_000.0
TERMS = PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "tokencc_bh_1"})
CHARGE = GatewayRequest(Operation.PROCESS, PAYMENT, f"{PAYMENT}-p1", TERMS)
CAPTURE = replace(CHARGE, operation=Operation.CAPTURE, idempotency_key=f"{PAYMENT}c101", gateway_ref=SALE)
VOID = replace(CAPTURE, operation=Operation.VOID, idempotency_key=f"{PAYMENT}x102")
REFUND = replace(CAPTURE, operation=Operation.REFUND, idempotency_key=f"{PAYMENT}b103")
ASKED = StatusQuery(Operation.PROCESS, CHARGE.idempotency_key, SALE, CHARGE.amount)
HELD = replace(ASKED, capture=False)
LOST = replace(ASKED, gateway_ref=None)


def of(request: GatewayRequest, **query: Any) -> StatusQuery:
    """The look-up of what the request asked for."""
    asked = StatusQuery(request.operation, request.idempotency_key, request.gateway_ref, request.amount)
    return replace(asked, **query)


def over(request: GatewayRequest, minor: int) -> GatewayRequest:
    """The request with another amount."""
    return replace(request, terms=replace(request.terms, amount=Money(minor, "USD")))


def adapter(clock: Callable[[], float] = lambda: NOW_S, **config: Any) -> BraintreeAdapter:
    """The adapter of a merchant with two accounts."""
    options = {"public_key": PUBLIC, "merchant_accounts": ACCOUNTS, **config.pop("options", {})}
    given = {"account": MERCHANT, "webhook_secrets": (PRIVATE,), **config}
    url = given.pop("base_url", "https://api.sandbox.braintreegateway.com:443")
    return BraintreeAdapter(
        GatewayConfig("braintree", "braintree", url, PRIVATE, options=options, **given), clock
    )


def transaction(status: str = "submitted_for_settlement", **fields: Any) -> dict[str, Any]:
    """A sale of 19.99, as Braintree shows it; `history`: the statuses that it had before, over all of it."""
    history = [*fields.pop("history", ()), status]
    return {
        "id": SALE,
        "type": "sale",
        "status": status,
        "amount": "19.99",
        "currency_iso_code": "USD",
        "merchant_account_id": "shop_usd",
        "order_id": f"{PAYMENT}-p1",
        "processor_response_code": "1000",
        "processor_response_text": "Approved",
        "refund_ids": [],
        "disputes": [],
        "status_history": [{"status": one, "amount": "19.99"} for one in history],
        **fields,
    }


def refund(status: str = "submitted_for_settlement", **fields: Any) -> dict[str, Any]:
    """A refund of all of that sale, under our key."""
    own = {"id": GIVEN_BACK, "type": "credit", "order_id": REFUND.idempotency_key}
    return transaction(status, **own | {"refunded_transaction_id": SALE} | fields)


def error(*codes: str, made: Mapping[str, Any] | None = None, message: str = "why") -> dict[str, Any]:
    """An error: of a request, or of a transaction that was declined."""
    listed = [{"code": code, "attribute": "base", "message": message} for code in codes]
    body = {"errors": {"errors": [], "transaction": {"errors": listed}}, "message": message}
    return {"api_error_response": body | ({"transaction": made} if made is not None else {})}


def answer(document: Mapping[str, Any], status: int = 200) -> HttpAnswer:
    """An answer with this document."""
    return HttpAnswer(status, {}, dashed(document).encode())


def shown(made: Mapping[str, Any], status: int = 200) -> HttpAnswer:
    """An answer that shows a transaction."""
    return answer({"transaction": made}, status)


def declined(made: Mapping[str, Any]) -> HttpAnswer:
    """An answer that says that a transaction was declined, and shows it."""
    return answer(error(made=made), 422)


def ids(*listed: str) -> HttpAnswer:
    """An answer of a search."""
    return answer({"search_results": {"page_size": 50, "ids": list(listed)}})


def listed(*made: Mapping[str, Any]) -> HttpAnswer:
    """An answer that lists transactions."""
    inner = "".join(dashed({"transaction": one}) for one in made)
    sums = (
        '<current-page-number type="integer">1</current-page-number><page-size type="integer">50</page-size>'
    )
    body = f'<credit-card-transactions type="collection">{sums}{inner}</credit-card-transactions>'
    return HttpAnswer(200, {}, body.encode())


def written(call: HttpCall) -> Any:
    """What a call says, as the SDK reads it."""
    return XmlUtil.dict_from_xml(call.body)


def dashed(document: Mapping[str, Any]) -> str:
    """Braintree's answers have dashes in their names, where the SDK's requests have underscores."""
    return re.sub(r"</?[a-z_0-9]+", lambda name: name[0].replace("_", "-"), XmlUtil.xml_from_dict(document))
