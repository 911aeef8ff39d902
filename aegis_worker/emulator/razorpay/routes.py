"""Which path does what."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

from ..control import PREFIX, Control
from ..pages import payer_page
from ..replies import Refusal, Reply, json_reply
from ..scripts import Wire
from .books import RazorpayBooks
from .checkout import answer_to_payer
from .errors import INPUT, error_reply, no_such_url
from .gateway import RazorpayGateway
from .pages import answer_page, checkout_page

_ON_PAYMENT = re.compile(r"/v1/payments/([^/]{1,64})/(capture|refund)")
_ONE = re.compile(r"/v1/(orders|payments|refunds|disputes)/([^/]{1,64})")
_LISTS = re.compile(r"/v1/(orders/([^/]{1,64})/payments|payments/([^/]{1,64})/refunds)")
_REFUND = re.compile(r"/v1/payments/([^/]{1,64})/refunds/([^/]{1,64})")
_ORDER = re.compile(rb"order_[0-9A-Za-z]{14}")
_ID = re.compile(r"[a-z]{3,5}_[0-9A-Za-z]{14}")
_CHECKOUT = re.compile(r"/checkout/(order_[0-9A-Za-z]{14})(/pay|/payments/(pay_[0-9A-Za-z]{14}))?")
# razorpay.com/docs/api/pagination
_USUAL_COUNT, _MOST_COUNT = "10", 100


class RazorpayRoutes:
    """From method, path, headers and body to an answer. `credentials`: KEY_ID:KEY_SECRET."""

    def __init__(self, gateway: RazorpayGateway, books: RazorpayBooks, credentials: str) -> None:
        self._gateway, self._books = gateway, books
        self._authorization = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self._control = Control(books)
        self._lookups: dict[str, Callable[[str], Reply]] = {
            "orders": books.look_up_order,
            "payments": books.look_up_payment,
            "refunds": books.look_up_refund,
            "disputes": books.look_up_own_dispute,
        }

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request; the names of `headers` are in lower case."""
        path, _, query = target.partition("?")
        if path.startswith("/v1/"):
            if headers.get("authorization") != self._authorization:
                return self._books.wording.unauthorized()
            if method == "GET":
                given = dict(parse_qsl(query))
                return self._books.conduct.looked_up(headers, lambda: self._get(path, given))
            return self._post(path, headers, raw) if method == "POST" else no_such_url()
        if path.startswith(PREFIX):
            return self._control.answer(f"{method} {path}", query, self._by_payment(raw)) or no_such_url()
        if method == "GET" and path == "/healthz":
            return json_reply(200, {"name": self._books.options.name, "status": "ok"})
        return (
            self._checkout(method, path, dict(parse_qsl(query)), headers, raw)
            or payer_page(method, path, self._clicked)
            or no_such_url()
        )

    def _post(self, path: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        if path == "/v1/orders":
            self._control.count("POST /v1/orders")
            return self._gateway.post("create", "", headers, raw)
        found = _ON_PAYMENT.fullmatch(path)
        if found is None:
            return no_such_url()
        payment_id, name = found.groups()
        self._control.count(f"POST /v1/payments/:id/{name}")
        return _malformed(payment_id) or self._gateway.post(name, payment_id, headers, raw)

    def _get(self, path: str, given: Mapping[str, str]) -> Reply:
        if path == "/v1/orders":
            self._control.count("GET /v1/orders")
            count, skip = given.get("count", _USUAL_COUNT), given.get("skip", "0")
            if not (count.isdecimal() and skip.isdecimal() and len(count + skip) < 9):
                return error_reply(400, "The count must be an integer.", where=INPUT, field="count")
            return self._books.find_orders(given.get("receipt", ""), min(int(count), _MOST_COUNT), int(skip))
        if found := _LISTS.fullmatch(path):
            _, order_id, payment_id = found.groups()
            self._control.count(f"GET /v1/{'orders/:id/payments' if order_id else 'payments/:id/refunds'}")
            if order_id:
                return _malformed(order_id) or self._books.list_payments(order_id)
            return _malformed(payment_id) or self._books.list_refunds(payment_id)
        if found := _REFUND.fullmatch(path):
            self._control.count("GET /v1/payments/:id/refunds/:id")
            payment_id, refund_id = found.groups()
            malformed = _malformed(payment_id) or _malformed(refund_id)
            return malformed or self._books.look_up_refund(refund_id, payment_id)
        if found := _ONE.fullmatch(path):
            kind, object_id = found.groups()
            self._control.count(f"GET /v1/{kind}/:id")
            return _malformed(object_id) or self._lookups[kind](object_id)
        return no_such_url()

    def _checkout(
        self, method: str, path: str, given: Mapping[str, str], headers: Mapping[str, str], raw: bytes
    ) -> Reply | None:
        """What the payer's browser asks for. It has no credentials."""
        found = _CHECKOUT.fullmatch(path)
        if found is None:
            return None
        order_id, action, payment_id = found.groups()
        if method == "GET" and not action:
            return checkout_page(self._books, order_id, given)
        if method == "GET" and payment_id:
            return self._poll(payment_id)
        if method != "POST" or action != "/pay":
            return None
        self._control.count("POST /checkout/:id/pay")
        answer = self._gateway.post("pay", order_id, headers, raw)
        is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        if not is_form or answer.wire is not Wire.ANSWER:
            return answer
        page = answer_page(answer, order_id, dict(parse_qsl(raw.decode("utf-8", "replace"))))
        return replace(page, after_s=answer.after_s, script=answer.script)

    def _by_payment(self, raw: bytes) -> bytes:
        """What is asked of an order's payment, such as to dispute it, names the payment."""
        named = _ORDER.search(raw)
        payment_id = self._books.payment_of(named[0].decode()) if named else ""
        return raw.replace(named[0], payment_id.encode()) if named and payment_id else raw

    def _poll(self, payment_id: str) -> Reply:
        try:
            with self._books.transaction() as tx:
                self._books.settle_due(tx, self._books.now())
                paid = self._books.paid(tx, payment_id)
                return answer_to_payer(self._books, paid.payment, paid.order.id)
        except Refusal as refused:
            return refused.reply

    def _clicked(self, payment_id: str, passes: bool) -> Reply | None:
        """The payer comes back from the bank's page to Checkout."""
        if self._books.payer_acts(payment_id, passes=passes) is None:
            return None
        return self._poll(payment_id)


def _malformed(object_id: str) -> Reply | None:
    """None for an id of the form that Razorpay's have."""
    if _ID.fullmatch(object_id):
        return None
    return error_reply(400, f"{object_id[:40]} is not a valid id", where=INPUT)
