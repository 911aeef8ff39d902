"""The calls to Braintree's gateway API. Pure: each function returns a call as a value.

Source: the paths and bodies of Braintree's SDK 4.48 (`TransactionGateway`), and
developer.paypal.com/braintree/docs/reference/request/transaction/sale.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aegis_worker.domain.cards import Card

from ..kit.amounts import Amounts
from ..kit.flows import HttpCall
from ..kit.xml import written_xml
from ..requests import GatewayRequest
from .instruments import instrument
from .options import Options
from .payer import payer_fields

# The one that SDK 4.48 speaks.
API_VERSION = "6"
_LONGEST_DESCRIPTOR = 22
_PRODUCT = re.compile(r"[A-Za-z0-9 +.-]+")


@dataclass(frozen=True, slots=True)
class Calls:
    """Writes the calls of one merchant. `headers`: of each, which hold the keys."""

    options: Options
    headers: Mapping[str, str]
    amounts: Amounts

    def sale(self, request: GatewayRequest, card: Card | None = None) -> HttpCall:
        """Charge, or hold. `card`: that of the vault which pays, where one does. Raises AmountNotTaken."""
        terms, amount = request.terms, request.amount
        fields = {
            "type": "sale",
            "amount": self.amounts.written_decimal(amount),
            "order-id": request.idempotency_key,
            "merchant-account-id": self.options.merchant_accounts[amount.currency],
            **instrument(terms, card),
            "transaction-source": (terms.off_session_reason or "unscheduled") if terms.off_session else None,
            **payer_fields(request.payer),
            "descriptor": self._descriptor(terms.statement_descriptor),
            "options": {
                "submit-for-settlement": request.capture,
                # Rejected where the payer was not authenticated in the shop's page, whatever the account is set to.
                "three-d-secure": {"required": True} if request.three_ds else None,
            },
        }
        return self._post("transactions", {"transaction": fields | self._request_key(request)})

    def capture(self, request: GatewayRequest, *, named: bool = True) -> HttpCall:
        """Submit a hold for settlement, or a part of it; the rest is released. Raises AmountNotTaken.

        `named`: with its key as the sale's order id from now on.
        """
        fields = {
            "amount": self.amounts.written_decimal(request.amount),
            "order-id": request.idempotency_key if named else None,
        }
        path = f"{_transaction(request.gateway_ref)}/submit_for_settlement"
        return self._call("PUT", path, {"transaction": fields})

    def void(self, transaction_id: str) -> HttpCall:
        """Release a hold, or give a charge back that is not settled."""
        return HttpCall("PUT", self._path(f"{_transaction(transaction_id)}/void"), self.headers)

    def refund(self, request: GatewayRequest) -> HttpCall:
        """Give a part or all of a settled charge back. Raises AmountNotTaken."""
        fields = {"amount": self.amounts.written_decimal(request.amount), "order-id": request.idempotency_key}
        path = f"{_transaction(request.gateway_ref)}/refund"
        return self._post(path, {"transaction": fields | self._request_key(request)})

    def look_up(self, transaction_id: str | None) -> HttpCall:
        """The call that shows a transaction."""
        return self._get(_transaction(transaction_id))

    def search(self, reference: str) -> HttpCall:
        """The call that lists the ids of the transactions with this order id."""
        criteria = {"order-id": {"is": reference}}
        return self._post("transactions/advanced_search_ids", {"search": criteria}, only_reads=True)

    def fetch(self, transaction_ids: Sequence[str], reference: str | None = None) -> HttpCall:
        """The call that shows these transactions, at most a page of them; those that have the order id, if one is given."""
        criteria = {"order-id": reference and {"is": reference}, "ids": list(transaction_ids)}
        return self._post("transactions/advanced_search", {"search": criteria}, only_reads=True)

    def look_up_dispute(self, dispute_id: str) -> HttpCall:
        """The call that shows a dispute."""
        return self._get(f"disputes/{_quoted(dispute_id)}")

    def probe(self) -> HttpCall:
        """A call that shows one of the merchant accounts that are charged to."""
        return self._get(f"merchant_accounts/{_quoted(next(iter(self.options.merchant_accounts.values())))}")

    def _request_key(self, request: GatewayRequest) -> dict[str, str]:
        """Braintree's own key, where it has given the account some."""
        return {"api-request-key": request.idempotency_key} if self.options.request_keys else {}

    def _descriptor(self, descriptor: str | None) -> dict[str, str] | None:
        """The company, a star, and what was bought. Braintree takes no other form; without one its own is shown."""
        company = self.options.descriptor_company
        if company is None or descriptor is None or not _PRODUCT.fullmatch(descriptor):
            return None
        name = f"{company}*{descriptor}"
        return {"name": name} if len(name) <= _LONGEST_DESCRIPTOR else None

    def _get(self, path: str) -> HttpCall:
        return HttpCall("GET", self._path(path), self.headers, only_reads=True)

    def _post(self, path: str, body: Mapping[str, Any], *, only_reads: bool = False) -> HttpCall:
        return self._call("POST", path, body, only_reads=only_reads)

    def _call(self, method: str, path: str, body: Mapping[str, Any], *, only_reads: bool = False) -> HttpCall:
        ((name, fields),) = body.items()
        return HttpCall(method, self._path(path), self.headers, written_xml(name, fields), only_reads)

    def _path(self, path: str) -> str:
        return f"/merchants/{self.options.merchant_id}/{path}"


def headers_for(public_key: str, private_key: str) -> dict[str, str]:
    """The head of every call."""
    pair = base64.b64encode(f"{public_key}:{private_key}".encode()).decode()
    return {
        "Accept": "application/xml",
        "Authorization": f"Basic {pair}",
        "Content-Type": "application/xml",
        "X-ApiVersion": API_VERSION,
    }


def _transaction(transaction_id: str | None) -> str:
    return f"transactions/{_quoted(transaction_id)}"


def _quoted(ref: str | None) -> str:
    return quote(ref or "", safe="")
