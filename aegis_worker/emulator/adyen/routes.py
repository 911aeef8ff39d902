"""Which path does what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from ..control import PREFIX, Control
from ..pages import payer_page
from ..replies import Reply, json_reply
from . import pages
from .books import AdyenBooks
from .errors import error_reply
from .gateway import AdyenGateway

_VERSION = "/v71"
_POSTS = {
    "/payments": "pay",
    "/payments/details": "details",
    "/cancels": "cancel_by_reference",
    "/paymentMethods": "methods",
}
_ON_PAYMENT = re.compile(r"/payments/(\w{1,64})/(captures|cancels|refunds)")
_LONGEST_KEY = 64


class AdyenRoutes:
    """From method, path, headers and body to an answer."""

    def __init__(self, gateway: AdyenGateway, books: AdyenBooks, api_key: str) -> None:
        self._gateway, self._books, self._api_key = gateway, books, api_key
        self._control = Control(books)

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request; the names of `headers` are in lower case."""
        path, _, query = target.partition("?")
        if path.startswith(f"{_VERSION}/"):
            return self._api(method, path.removeprefix(_VERSION), headers, raw) or _not_found()
        if path.startswith(PREFIX):
            answer = self._control.answer(f"{method} {path}", query, raw)
        elif method == "GET" and path == "/healthz":
            answer = json_reply(200, {"name": self._books.options.name, "status": "ok"})
        elif method == "GET" and path == "/challenge":
            answer = pages.library(self._books, dict(parse_qsl(query)).get("token", ""))
        else:
            answer = payer_page(
                method, path, lambda payment, passes: pages.clicked(self._books, payment, passes=passes)
            )
        return answer or _not_found()

    def _api(self, method: str, path: str, headers: Mapping[str, str], raw: bytes) -> Reply | None:
        if headers.get("x-api-key") != self._api_key:
            return self._books.wording.unauthorized()
        name, target, endpoint = _POSTS.get(path, ""), "", path
        if on_payment := _ON_PAYMENT.fullmatch(path):
            target, name = on_payment[1], on_payment[2].removesuffix("s")
            endpoint = f"/payments/:psp/{on_payment[2]}"
        if method != "POST" or not name:
            return None
        key = headers.get("idempotency-key")
        if key is not None and not 0 < len(key) <= _LONGEST_KEY:
            return error_reply(422, "703", "The idempotency key has at most 64 characters", "validation")
        self._control.count(f"POST {_VERSION}{endpoint}")
        return self._gateway.post(name, target, headers, raw)


def _not_found() -> Reply:
    return error_reply(404, "000", "Not Found", "validation")
