"""Which path does what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from ..control import PREFIX, Control
from ..problems import problem
from ..replies import Reply, json_reply
from .authority import Authority
from .books import PayPalBooks
from .calls import KEY
from .errors import issue_reply
from .gateway import PayPalGateway
from .oauth import AccessTokens
from .pages import approve_page

_ORDERS, _DISPUTES, _CERTIFICATES = "/v2/checkout/orders", "/v1/customer/disputes", "/v1/notifications/certs/"
_ON_ORDER = re.compile(rf"{_ORDERS}/(\w{{1,64}})/(capture|authorize|confirm-payment-source)")
_NAMES = {
    "capture": "capture_order",
    "authorize": "authorize_order",
    "confirm-payment-source": "confirm_source",
}
_ON_AUTHORIZATION = re.compile(r"/v2/payments/authorizations/(\w{1,64})/(capture|reauthorize|void)")
_ON_CAPTURE = re.compile(r"/v2/payments/captures/(\w{1,64})/refund")
_ONE = re.compile(r"/v2/(?:checkout|payments)/(orders|authorizations|captures|refunds)/(\w{1,64})")
_DISPUTE = re.compile(rf"{_DISPUTES}/([\w-]{{1,255}})")
_LONGEST_KEY = 108
_PLAIN = {"Content-Type": "application/x-pem-file"}


class PayPalRoutes:
    """From method, path, headers and body to an answer. `credentials`: CLIENT_ID:SECRET."""

    def __init__(
        self, gateway: PayPalGateway, books: PayPalBooks, credentials: str, authority: Authority
    ) -> None:
        self._gateway, self._books, self._authority = gateway, books, authority
        self._tokens = AccessTokens(credentials)
        self._control = Control(books)

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request; the names of `headers` are in lower case."""
        path, _, query = target.partition("?")
        if f"{method} {path}" == "POST /v1/oauth2/token":
            self._control.count("POST /v1/oauth2/token")
            return self._tokens.grant(headers.get("authorization", ""), raw)
        if path.startswith(_CERTIFICATES):
            name = path.removeprefix(_CERTIFICATES)
            pem = self._authority.certificate_at(name) or self._authority.stranger.certificate_at(name)
            return Reply(200, pem, _PLAIN) if method == "GET" and pem else _not_found()
        if path.startswith(("/v1/", "/v2/")):
            if not self._tokens.knows(headers.get("authorization", "")):
                return self._books.wording.unauthorized()
            if method == "GET":
                given = dict(parse_qsl(query))
                return self._books.conduct.looked_up(headers, lambda: self._get(path, given) or _not_found())
            return (self._post(path, headers, raw) if method == "POST" else None) or _not_found()
        return self._beside(method, path, query, raw) or _not_found()

    def _beside(self, method: str, path: str, query: str, raw: bytes) -> Reply | None:
        """What is not PayPal's: control, health, the payer's page."""
        if path.startswith(PREFIX):
            return self._own_control(f"{method} {path}", dict(parse_qsl(query)), raw) or self._control.answer(
                f"{method} {path}", query, raw
            )
        if method == "GET" and path == "/healthz":
            return json_reply(200, {"name": self._books.options.name, "status": "ok"})
        return approve_page(self._books, method, path, query)

    def _own_control(self, endpoint: str, given: Mapping[str, str], raw: bytes) -> Reply | None:
        try:
            if endpoint == f"POST {PREFIX}tokens":
                return self._tokens.control(raw)
            if endpoint == f"GET {PREFIX}webhook-root":
                return Reply(200, self._authority.root, _PLAIN)
            if endpoint == f"POST {PREFIX}webhook-signatures":
                by = self._authority.stranger if "stranger" in given else self._authority
                return json_reply(200, by.headers(given.get("webhook_id", ""), int(given.get("at", 0)), raw))
        except (ValueError, TypeError, AttributeError) as wrong:
            return problem(400, "invalid_request", str(wrong))
        return None

    def _post(self, path: str, headers: Mapping[str, str], raw: bytes) -> Reply | None:
        name, target, endpoint = "", "", path
        if path == _ORDERS:
            name = "create"
        elif on_order := _ON_ORDER.fullmatch(path):
            target, name = on_order[1], _NAMES[on_order[2]]
            endpoint = f"{_ORDERS}/:id/{on_order[2]}"
        elif on_hold := _ON_AUTHORIZATION.fullmatch(path):
            target, name = on_hold.groups()
            endpoint = f"/v2/payments/authorizations/:id/{name}"
        elif on_capture := _ON_CAPTURE.fullmatch(path):
            target, name = on_capture[1], "refund"
            endpoint = "/v2/payments/captures/:id/refund"
        if not name:
            return None
        key = headers.get(KEY)
        if key is not None and not 0 < len(key) <= _LONGEST_KEY:
            return issue_reply("INVALID_PARAMETER_VALUE", field="PayPal-Request-Id")
        self._control.count(f"POST {endpoint}")
        return self._gateway.post(name, target, headers, raw)

    def _get(self, path: str, given: Mapping[str, str]) -> Reply | None:
        if path == _DISPUTES:
            self._control.count(f"GET {_DISPUTES}")
            return self._books.list_disputes(given.get("disputed_transaction_id", ""))
        if dispute := _DISPUTE.fullmatch(path):
            self._control.count(f"GET {_DISPUTES}/:id")
            return self._books.look_up_own_dispute(dispute[1])
        one = _ONE.fullmatch(path)
        if one is None:
            return None
        kind, object_id = one.groups()
        self._control.count(f"GET {path.removesuffix(object_id)}:id")
        return self._books.look_up_object(kind.removesuffix("s"), object_id)


def _not_found() -> Reply:
    return issue_reply("INVALID_RESOURCE_ID")
