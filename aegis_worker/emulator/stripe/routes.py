"""Which path does what."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

from ..control import PREFIX, Control
from ..pages import payer_page
from ..replies import Reply, json_reply
from . import pages
from .books import API_VERSION, StripeBooks
from .errors import error_reply, request_headers
from .gateway import StripeGateway

_POSTS = {
    "/v1/payment_intents": "create",
    "/v1/refunds": "refund",
    "/v1/customers": "customer",
}
_ON_INTENT = re.compile(r"/v1/payment_intents/(\w{1,64})/(confirm|capture|cancel)")
_ON_DISPUTE = re.compile(r"/v1/disputes/(\w{1,64})(/close)?")
_ATTACH = re.compile(r"/v1/payment_methods/(\w{1,64})/attach")
_ONE = re.compile(r"/v1/(payment_intents|refunds|disputes|payment_methods)/(\w{1,64})")


class StripeRoutes:
    """From method, path, headers and body to an answer."""

    def __init__(self, gateway: StripeGateway, books: StripeBooks, api_key: str) -> None:
        self._gateway, self._books = gateway, books
        # Stripe takes a key either way: its SDKs send a bearer token, and its examples with curl a user without password.
        as_user = base64.b64encode(f"{api_key}:".encode()).decode()
        self._authorizations = (f"Bearer {api_key}", f"Basic {as_user}")
        self._control = Control(books)

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request; the names of `headers` are in lower case."""
        path, _, query = target.partition("?")
        if path.startswith("/v1/"):
            reply = self._api(method, path, query, headers, raw)
            version = headers.get("stripe-version", API_VERSION)
            return replace(reply, headers={**request_headers(version), **reply.headers})
        if path.startswith(PREFIX):
            answer = self._control.answer(f"{method} {path}", query, raw)
        elif method == "GET" and path == "/healthz":
            answer = json_reply(200, {"name": self._books.options.name, "status": "ok"})
        else:
            answer = payer_page(method, path, self._clicked)
        return answer or _not_found(method, path)

    def _clicked(self, intent_id: str, passes: bool) -> Reply | None:
        return pages.clicked(self._books, intent_id, passes=passes)

    def _api(self, method: str, path: str, query: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        if headers.get("authorization") not in self._authorizations:
            return self._books.wording.unauthorized()
        if method == "GET":
            account = headers.get("stripe-account", "")
            return self._books.conduct.looked_up(
                headers, lambda: self._get(path, query, account) or _not_found(method, path)
            )
        key = headers.get("idempotency-key")
        if key is not None and not 0 < len(key) <= 255:
            message = "Idempotency keys have at most 255 characters."
            return error_reply(400, {"type": "idempotency_error", "message": message})
        return self._post(path, headers, raw) or _not_found(method, path)

    def _post(self, path: str, headers: Mapping[str, str], raw: bytes) -> Reply | None:
        name, target = _POSTS.get(path, ""), ""
        endpoint = path
        if on_intent := _ON_INTENT.fullmatch(path):
            target, name = on_intent.groups()
            endpoint = f"/v1/payment_intents/:id/{name}"
        elif on_method := _ATTACH.fullmatch(path):
            target, name = on_method[1], "attach"
            endpoint = "/v1/payment_methods/:id/attach"
        elif on_dispute := _ON_DISPUTE.fullmatch(path):
            target, name = on_dispute[1], "close" if on_dispute[2] else "evidence"
            endpoint = f"/v1/disputes/:id{on_dispute[2] or ''}"
        if not name:
            return None
        self._control.count(f"POST {endpoint}")
        return self._gateway.post(name, path, target, headers, raw)

    def _get(self, path: str, query: str, account: str) -> Reply | None:
        given = parse_qsl(query)
        if path == "/v1/refunds":
            self._control.count("GET /v1/refunds")
            return self._books.list_refunds(dict(given).get("payment_intent", ""), account)
        if path == "/v1/disputes":
            self._control.count("GET /v1/disputes")
            return self._books.list_disputes(dict(given).get("payment_intent", ""), account)
        one = _ONE.fullmatch(path)
        if one is None:
            return None
        kind, object_id = one.groups()
        self._control.count(f"GET /v1/{kind}/:id")
        if kind == "refunds":
            return self._books.look_up_refund(object_id, account)
        if kind == "disputes":
            return self._books.look_up_own_dispute(object_id, account)
        if kind == "payment_methods":
            return self._books.look_up_method(object_id, account)
        expanded = any(name.startswith("expand[") and value == "latest_charge" for name, value in given)
        return self._books.look_up_intent(object_id, account, expanded=expanded)


def _not_found(method: str, path: str) -> Reply:
    message = f"Unrecognized request URL ({method}: {path[:100]})."
    return error_reply(404, {"type": "invalid_request_error", "message": message})
