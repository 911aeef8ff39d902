"""Which path does what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from .books import Books
from .challenges import results
from .control import PREFIX, Control
from .gateway import Gateway
from .pages import payer_page, sent_on
from .payments import Status
from .replies import Reply, error, json_reply, naming

_NEW = {"/v1/payments": "create", "/v1/authentications": "authenticate", "/v1/charges": "charge"}
_ON_PAYMENT = re.compile(
    r"/v1/payments/([\w-]{1,64})/(authenticate|charge|confirm|capture|void|refund|close)"
)
_PAYMENT = re.compile(r"/v1/payments/([\w-]{1,64})")
_DISPUTE = re.compile(r"/v1/disputes/([\w-]{1,64})")
_NOT_FOUND = error(404, "no_such_endpoint", "no such endpoint")


class SandboxRoutes:
    """From method, path, headers and body to an answer."""

    def __init__(self, gateway: Gateway, books: Books, api_key: str) -> None:
        self._gateway, self._books = gateway, books
        self._authorization = f"Bearer {api_key}"
        self._control = Control(books)

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request; the names of `headers` are in lower case."""
        path, _, query = target.partition("?")
        if path.startswith("/v1/"):
            is_known = headers.get("authorization") == self._authorization
            if method == "POST":
                reply = self._post(path, headers, raw) if is_known else self._books.wording.unauthorized()
                return naming(reply, raw)
            if not is_known:
                return self._books.wording.unauthorized()
            return self._books.conduct.looked_up(headers, lambda: self._get(path, dict(parse_qsl(query))))
        if path.startswith(PREFIX):
            return self._control.answer(f"{method} {path}", query, raw) or _NOT_FOUND
        if method == "GET" and path == "/healthz":
            return json_reply(200, {"name": self._books.options.name, "status": "ok"})
        if method == "GET" and path == "/challenge":
            return json_reply(200, results(dict(parse_qsl(query)).get("client_secret", "")))
        return payer_page(method, path, self._clicked) or _NOT_FOUND

    def _post(self, path: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        key = headers.get("idempotency-key")
        if key is not None and not 0 < len(key) <= 255:
            return error(400, "invalid_idempotency_key", "1 to 255 characters")
        operation = _NEW.get(path)
        if operation:
            self._control.count(f"POST {path}")
            return self._gateway.post(path, operation, None, headers, raw)
        on_payment = _ON_PAYMENT.fullmatch(path)
        if not on_payment:
            return _NOT_FOUND
        payment_id, operation = on_payment.groups()
        self._control.count(f"POST /v1/payments/{{id}}/{operation}")
        return self._gateway.post(path, operation, payment_id, headers, raw)

    def _get(self, path: str, query: dict[str, str]) -> Reply:
        if path == "/v1/payments" and query.get("reference"):
            self._control.count("GET /v1/payments?reference")
            return self._books.find(query["reference"])
        if dispute := _DISPUTE.fullmatch(path):
            self._control.count("GET /v1/disputes/{id}")
            return self._books.look_up_dispute(dispute[1])
        payment = _PAYMENT.fullmatch(path)
        if not payment:
            return _NOT_FOUND
        self._control.count("GET /v1/payments/{id}")
        return self._books.look_up(payment[1])

    def _clicked(self, payment_id: str, passes: bool) -> Reply | None:
        payment = self._books.payer_acts(payment_id, passes=passes)
        if payment is None:
            return None
        return sent_on(payment.return_url, passed=payment.status is not Status.FAILED)
