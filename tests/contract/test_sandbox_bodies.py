"""A gateway's body that says two things, or says one in a wrong type, says nothing: the call is unknown (row 65)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.gateway_calls import sent
from support.rewriting_proxy import Exchange, RewritingProxy, as_bytes
from support.sandbox_calls import approved_ref, query, request
from support.sandbox_process import Sandbox

from aegis_worker.domain.outcomes import Approved, Unknown
from aegis_worker.exchange.loaded import LoadedGateway


def twice(name: str, other: object) -> Callable[[bytes], bytes]:
    """The same key a second time, at the end of the first object that has it."""

    def change(body: bytes) -> bytes:
        return body.replace(f'"{name}": '.encode(), f'"{name}": {json.dumps(other)}, "{name}": '.encode(), 1)

    return change


def instead(name: str, value: str) -> Callable[[bytes], bytes]:
    """Raw JSON in the place of a value."""

    def change(body: bytes) -> bytes:
        def replaced(payment: dict[str, Any]) -> dict[str, Any]:
            return payment | {name: "@@"} if name in payment else payment

        document = json.loads(body)
        if "data" in document:
            document["data"] = [replaced(payment) for payment in document["data"]]
        else:
            document = replaced(document)
        return as_bytes(document).replace(b'"@@"', value.encode())

    return change


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "status twice": twice("status", "failed"),
    "status twice, spelt otherwise": lambda body: body.replace(
        b'"status": ', b'"\\u0073tatus": "failed", "status": ', 1
    ),
    "id twice": twice("id", "spay_other"),
    "amount twice": twice("amount", 5),
    "reference twice": twice("reference", "other"),
    "a nested key twice": twice("type", "upi"),
    "an amount as text": instead("amount", '"1999"'),
    "an amount as a bool": instead("amount", "true"),
    "an amount with a fraction": instead("amount", "1999.0"),
    "an amount as an exponent": instead("amount", "1999e0"),
    "an amount below 0": instead("amount", "-1999"),
    "an amount that is none": instead("amount", "null"),
    "an amount of NaN": instead("amount", "NaN"),
    "an amount of Infinity": instead("amount", "Infinity"),
    "an amount beyond all numbers": instead("amount", "1e999"),
    "an amount of 5,000 digits": instead("amount", "9" * 5000),
    "an amount beyond ours": instead("amount", "100000000000000"),
    "captured as text": instead("amount_captured", '"1999"'),
    "captured as a bool": instead("amount_captured", "true"),
    "a currency in lower case": instead("currency", '"usd"'),
    "a currency of a list": instead("currency", '["USD"]'),
    "a currency that is none": instead("currency", '"QQQ"'),
    "an unknown status": instead("status", '"succeeded "'),
    "a status as a bool": instead("status", "true"),
    "a status as a list": instead("status", '["succeeded"]'),
    "an id as a number": instead("id", "17"),
    "an empty id": instead("id", '""'),
    "an id of 300 characters": instead("id", json.dumps("x" * 300)),
    "an id with a NUL": instead("id", '"spay\\u0000"'),
    "half a surrogate pair": instead("id", '"spay\\ud800"'),
    "a reference as a number": instead("reference", "17"),
    "operations as an object": instead("operations", "{}"),
    "operations of numbers": instead("operations", "[1, 2]"),
    "nested too deeply": instead("metadata", "[" * 40 + "]" * 40),
    "nested without end": instead("metadata", "[" * 100_000 + "]" * 100_000),
    "a list": lambda body: b"[" + body + b"]",
    "two documents": lambda body: body + body,
    "truncated": lambda body: body[:-1],
    "empty": lambda body: b"",
    "a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "UTF-16": lambda body: body.decode().encode("utf-16"),
    "invalid UTF-8": lambda body: body.replace(b'"USD"', b'"US\xff"'),
    "null": lambda body: b"null",
    "HTML": lambda body: b"<html><body>cached</body></html>",
    "single quotes": lambda body: body.replace(b'"', b"'"),
    "a comma too many": lambda body: body[:-1] + b",}",
    "a comment": lambda body: b"/* cached */" + body,
}


def changes(form: str) -> Callable[[Exchange], tuple[int, bytes]]:
    def rewrite(exchange: Exchange) -> tuple[int, bytes]:
        changed = FORMS[form](exchange.body)
        assert changed != exchange.body, form
        return exchange.status, changed

    return rewrite


@pytest.mark.parametrize("form", FORMS)
def test_a_charge_answered_in_a_body_that_is_not_to_be_read_is_unknown(
    gateway: LoadedGateway, proxy: RewritingProxy, sandbox: Sandbox, form: str
) -> None:
    charge = request()
    proxy.rewrite = changes(form)
    assert isinstance(sent(gateway, charge), Unknown)
    proxy.heal()
    assert isinstance(gateway.ask_and_wait(query(charge)), Approved)
    assert len(sandbox.booked(charge.idempotency_key)) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_look_up_answered_in_a_body_that_is_not_to_be_read_is_unknown(
    gateway: LoadedGateway, proxy: RewritingProxy, form: str
) -> None:
    charge = request()
    ref = approved_ref(sent(gateway, charge))
    proxy.rewrite = changes(form)
    assert isinstance(gateway.ask_and_wait(query(charge, ref)), Unknown)
    assert isinstance(gateway.ask_and_wait(query(charge)), Unknown)


@pytest.mark.parametrize(
    "change",
    [twice("code", "insufficient_funds"), twice("reference", "other"), twice("status", "succeeded")],
    ids=["code", "reference", "status"],
)
def test_a_decline_that_says_two_things_is_unknown(
    gateway: LoadedGateway, proxy: RewritingProxy, change: Callable[[bytes], bytes]
) -> None:
    proxy.rewrite = lambda exchange: (exchange.status, change(exchange.body))
    assert isinstance(sent(gateway, request("tok_hard_lost_card")), Unknown)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 429])
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"<html>", b'{"error": "no"}', b'{"error": {}, "error": {}}']
)
def test_a_refusal_that_can_not_be_read_is_unknown(
    gateway: LoadedGateway, proxy: RewritingProxy, status: int, body: bytes
) -> None:
    proxy.rewrite = lambda exchange: (status, body)
    assert isinstance(sent(gateway, request()), Unknown)
    assert isinstance(gateway.ask_and_wait(query(request())), Unknown)
    assert isinstance(gateway.ask_and_wait(query(request(), "spay_1")), Unknown)
