"""Which path does what."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from ..control import PREFIX, Control
from ..replies import Refusal, Reply, json_reply
from ..transaction import Transaction
from . import contesting, events, searches, vault
from .amounts import DEFAULT_ACCOUNT, currency_of
from .books import BraintreeBooks
from .errors import bare, xml_reply
from .gateway import BraintreeGateway
from .simulating import WAYS, simulate
from .vault import Ask
from .xml import Paged

_MERCHANT = re.compile(r"/merchants/(\w{1,64})(/.*)")
_ID = r"[\w-]{1,64}"
# What moves money: by method and path, the name of the call. The group is the transaction.
_MOVES = (
    (re.compile(r"POST /transactions()"), "sale"),
    (re.compile(rf"PUT /transactions/({_ID})/submit_for_settlement"), "submit"),
    (re.compile(rf"POST /transactions/({_ID})/submit_for_partial_settlement"), "partial"),
    (re.compile(rf"PUT /transactions/({_ID})/void"), "void"),
    (re.compile(rf"POST /transactions/({_ID})/refund"), "refund"),
)
_SEARCHES: Mapping[str, Callable[[BraintreeBooks, str, bytes], Reply]] = {
    "POST /transactions/advanced_search_ids": searches.search_ids,
    "POST /transactions/advanced_search": searches.search_page,
}
_ONE = re.compile(rf"GET /transactions/({_ID})")
_PLAIN: tuple[tuple[re.Pattern[str], Callable[[BraintreeBooks, Transaction, Ask], Reply]], ...] = (
    (re.compile(rf"PUT /transactions/({_ID}/(?:{'|'.join(WAYS)}))"), simulate),
    (re.compile(r"POST /customers()"), vault.create_customer),
    (re.compile(rf"GET /customers/({_ID})"), vault.show_customer),
    (re.compile(rf"DELETE /customers/({_ID})"), vault.delete_customer),
    (re.compile(r"POST /payment_methods()"), vault.create_method),
    (re.compile(rf"GET /payment_methods/any/({_ID})"), vault.show_method),
    (re.compile(rf"DELETE /payment_methods/any/({_ID})"), vault.delete_method),
    (re.compile(rf"POST /payment_methods/({_ID})/nonces"), vault.create_nonce),
    (re.compile(rf"GET /disputes/({_ID})"), contesting.show),
    (re.compile(rf"PUT /disputes/({_ID})/accept"), contesting.accept),
    (re.compile(rf"PUT /disputes/({_ID})/finalize"), contesting.finalize),
    (re.compile(rf"POST /disputes/({_ID})/evidence"), contesting.add_evidence),
    (re.compile(rf"DELETE /disputes/({_ID}/evidence/{_ID})"), contesting.remove_evidence),
)
_ACCOUNTS, _ACCOUNT = "GET /merchant_accounts/", re.compile(rf"GET /merchant_accounts/({_ID})")
_CHALLENGE_BYTES = 10


class BraintreeRoutes:
    """From method, path, headers and body to an answer. `credentials`: PUBLIC_KEY:PRIVATE_KEY."""

    def __init__(self, gateway: BraintreeGateway, books: BraintreeBooks, credentials: str) -> None:
        self._gateway, self._books, self._credentials = gateway, books, credentials
        self._authorization = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self._control = Control(books)

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request; the names of `headers` are in lower case."""
        path, _, query = target.partition("?")
        found = _MERCHANT.fullmatch(path)
        if found is not None:
            if headers.get("authorization") != self._authorization:
                return self._books.wording.unauthorized()
            merchant, rest = found.groups()
            return self._api(f"{method} {rest}", merchant, headers, raw) or bare(404)
        if path.startswith(PREFIX):
            reply = self._own_control(f"{method} {path}") or self._control.answer(
                f"{method} {path}", query, raw
            )
            return reply or bare(404)
        if method == "GET" and path == "/healthz":
            return json_reply(200, {"name": self._books.options.name, "status": "ok"})
        return bare(404)

    def _own_control(self, endpoint: str) -> Reply | None:
        if endpoint == f"GET {PREFIX}webhook-challenge":
            # A new address is asked for this when it is set up in the control panel: …/docs/guides/webhooks/create.
            challenge = secrets.token_hex(_CHALLENGE_BYTES)
            answer = events.signature(self._credentials, challenge.encode())
            return json_reply(200, {"bt_challenge": challenge, "answer": answer})
        if endpoint == f"POST {PREFIX}webhook-check":
            with self._books.transaction() as tx:
                now = self._books.now()
                self._books.queue_event(tx, events.check(), now, None)
            return json_reply(202, {})
        return None

    def _api(self, endpoint: str, merchant: str, headers: Mapping[str, str], raw: bytes) -> Reply | None:
        if endpoint in _SEARCHES:
            self._control.count(endpoint)
            search = _SEARCHES[endpoint]
            return self._books.conduct.looked_up(headers, lambda: search(self._books, merchant, raw))
        if one := _ONE.fullmatch(endpoint):
            self._control.count("GET /transactions/:id")
            return self._books.conduct.looked_up(
                headers, lambda: self._books.look_up_transaction(merchant, one[1])
            )
        for pattern, name in _MOVES:
            if move := pattern.fullmatch(endpoint):
                self._control.count(_named(endpoint, move[1]))
                return self._gateway.move(name, merchant, move[1], headers, raw)
        if endpoint in (_ACCOUNTS, _ACCOUNTS.rstrip("/")):
            self._control.count(_ACCOUNTS)
            return self._books.conduct.looked_up(headers, self._accounts)
        if account := _ACCOUNT.fullmatch(endpoint):
            self._control.count("GET /merchant_accounts/:id")
            return self._books.conduct.looked_up(headers, lambda: self._account(account[1]))
        for pattern, do in _PLAIN:
            if plain := pattern.fullmatch(endpoint):
                self._control.count(_named(endpoint, plain[1].partition("/")[0]))
                return self._do(do, merchant, plain[1], raw)
        return None

    def _accounts(self) -> Reply:
        """A page of the merchant accounts: only the default one, though there is one for each currency."""
        facts = {"current_page_number": 1, "page_size": 50, "total_items": 1}
        shown = Paged(facts, "merchant_account", [_account_object(DEFAULT_ACCOUNT, "USD")])
        return self._books.read_xml(lambda tx, now: xml_reply(200, "merchant_accounts", shown))

    def _account(self, account: str) -> Reply:
        currency = currency_of(account)
        reply = (
            bare(404)
            if currency is None
            else xml_reply(200, "merchant_account", _account_object(account, currency))
        )
        return self._books.read_xml(lambda tx, now: reply)

    def _do(
        self,
        do: Callable[[BraintreeBooks, Transaction, Ask], Reply],
        merchant: str,
        target: str,
        raw: bytes,
    ) -> Reply:
        """What moves no money of a sale's, and follows no script."""

        def done() -> Reply:
            try:
                with self._books.transaction() as tx:
                    now = self._books.now()
                    self._books.settle_due(tx, now)
                    return do(self._books, tx, Ask(merchant, target, raw, now))
            except Refusal as refused:
                return refused.reply

        return self._books.conduct.answered(done)


def _named(endpoint: str, own_id: str) -> str:
    return endpoint.replace(own_id, ":id", 1) if own_id else endpoint


def _account_object(account: str, currency: str) -> dict[str, Any]:
    return {
        "id": account,
        "status": "active",
        "currency_iso_code": currency,
        "default": account == DEFAULT_ACCOUNT,
        "sub_merchant_account": False,
    }
