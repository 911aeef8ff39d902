"""The adapter: which calls each operation makes. What their answers mean stands in `answers`."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from aegis_worker.gateways import interface as aegis

from .answers import ANSWERS
from .codes import DECLINE_CODES, KEPT
from .webhook import event


class ToyAdapter(aegis.Adapter):
    """One account at Toy. It charges in one call, holds, captures in parts, releases, refunds, and can be asked of all."""

    # The version of AegisPay's interface that this adapter is written for.
    interface: ClassVar[int] = 1
    decline_codes: ClassVar[Mapping[str, str]] = DECLINE_CODES
    allow_list: ClassVar[aegis.AllowList] = KEPT

    def __init__(self, config: aegis.GatewayConfig) -> None:
        self.config = config
        # How long keys live, and how long after a call a look-up may not show it yet: from the gateway's documentation.
        self.capabilities = aegis.Capabilities(
            (aegis.Operation.PROCESS,),
            key_lifetime_s=86_400,
            absence_window_s=120,
            identity=aegis.WHOLE_PAYMENTS,
        )
        self._headers = {"Authorization": f"Bearer {config.api_key}", "Content-Type": "application/json"}

    def process(self, request: aegis.GatewayRequest) -> aegis.Flow[aegis.Outcome]:
        """POST of a payment. Our key is also our reference: calls whose answer is lost are found by it."""
        payer = {"card": request.terms.payment_method["token"], "return_url": request.terms.return_url or ""}
        told = {"currency": request.amount.currency, "hold": not request.capture, "order": request.payment_id}
        answer = yield self._post(request, "/payments", payer | told)
        return ANSWERS.outcome(request, answer)

    def capture(self, request: aegis.GatewayRequest) -> aegis.Flow[aegis.Outcome]:
        """POST to the payment: capture, void, refund and close alike."""
        path = f"/payments/{quote(request.gateway_ref or '', safe='')}/{request.operation}"
        answer = yield self._post(request, path, {"final": request.final})
        return ANSWERS.outcome(request, answer)

    void = refund = close = capture

    def get_status(self, query: aegis.StatusQuery) -> aegis.Flow[aegis.Lookup]:
        """GET of the payment."""
        answer = yield self._get(f"/payments/{quote(query.gateway_ref or '', safe='')}")
        return ANSWERS.found(query, answer)

    def find_by_reference(self, query: aegis.StatusQuery) -> aegis.Flow[aegis.Lookup]:
        """GET of the payments under our reference."""
        answer = yield self._get(f"/payments?reference={quote(query.reference, safe='')}")
        return ANSWERS.found_by_reference(query, answer)

    def probe(self) -> aegis.Flow[aegis.Probed]:
        """A look-up that finds nothing."""
        answer = yield self._get("/payments?reference=nobody")
        return aegis.probed(answer, 200)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[aegis.GatewayEvent]:
        """Raises InvalidWebhook."""
        return (event(self.config.webhook_secrets, headers, body, time.time()),)

    def _post(self, request: aegis.GatewayRequest, path: str, more: Mapping[str, Any]) -> aegis.HttpCall:
        key = request.idempotency_key
        body = {"reference": key, "amount": aegis.ISO_AMOUNTS.written(request.amount), **more}
        return aegis.HttpCall(
            "POST", path, {**self._headers, "Idempotency-Key": key}, json.dumps(body).encode()
        )

    def _get(self, path: str) -> aegis.HttpCall:
        return aegis.HttpCall("GET", path, self._headers, only_reads=True)
