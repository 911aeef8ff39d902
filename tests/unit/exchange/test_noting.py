"""What is noted of calls and answers: by an allow-list, so that a field that nobody thought of stays hidden."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gateway_specs import gateway_spec

from aegis_worker.domain.exchanges import Exchange, Noted
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import NotSent, Operation, Unknown, UnknownKind
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.exchange.noting import LARGEST_READ, MOST_TOLD, Noting
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.allow_list import AllowList
from aegis_worker.gateways.kit.flows import HttpAnswer, HttpCall, OpenCard
from aegis_worker.gateways.registry import ADAPTERS
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.lab.conformance.numbered import CODE, MASTERCARD, METHOD, NUMBER

ALLOWED: dict[str, AllowList] = {name: vars(adapter)["allow_list"] for name, adapter in ADAPTERS.items()}
SOME = AllowList(
    headers=frozenset({"idempotency-key", "content-type"}),
    query=frozenset({"limit", "expand"}),
    sent=frozenset({"amount", "card.network", "lines.sku"}),
    received=frozenset({"id", "status", "created", "charge.id", "data.id"}),
)
CALL = HttpCall("GET", "/v1/things/th_1")
VAULTED = GatewayRequest(
    Operation.PROCESS,
    "pay_1",
    "pay_1-p1",
    PaymentTerms(Money(1999, "USD"), METHOD),
    "pi_1",
    vaulted=OpenCard.of(METHOD),
)
NOT_SENT = NotSent("could not connect: refused")
HIDDEN = "[hidden]"

# Fields of Stripe's objects that open or charge something, or say who pays: none of them may ever be on the list.
SECRET = (
    *("client_secret", "payment_method", "customer", "receipt_email", "receipt_url", "source", "description"),
    *("billing_details", "shipping", "statement_descriptor", "next_action.redirect_to_url.url", "message"),
    *("last4", "fingerprint", "name", "email", "phone", "line1", "postal_code", "city"),
)


def exchange(noted: Noted) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(noted.told)
    return told


def answered(body: bytes, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    noted = Noting(SOME).noted(CALL, HttpAnswer(200, headers or {}, body), 0.0, 1.0)
    told: dict[str, Any] = exchange(noted)["answer"]
    return told


def asked(call: HttpCall) -> dict[str, Any]:
    told: dict[str, Any] = exchange(Noting(SOME).noted(call, NOT_SENT, 0.0, 1.0))["request"]
    return told


def posted(body: bytes, content_type: str = "application/json") -> dict[str, Any]:
    return asked(HttpCall("POST", "/v1/things", {"Content-Type": content_type}, body))


def test_xml_is_noted_as_json_is() -> None:
    body = (
        b'<charge type="x"><id>ch_1</id><name>Asha</name><lines type="array"><item>a</item></lines></charge>'
    )
    shown = {"charge": {"id": "ch_1", "name": HIDDEN, "lines": [HIDDEN]}}
    assert answered(body)["body"] == shown
    assert posted(b"<card><network>visa</network><number>4242</number></card>", "application/xml")[
        "body"
    ] == {"card": {"network": "visa", "number": HIDDEN}}
    assert answered(b"<!DOCTYPE a><a/>")["left_out"] == "unreadable"


class Canaries:
    """Puts a value that is nowhere else into each field of an object, and remembers where."""

    def __init__(self) -> None:
        self.path_of: dict[str, str] = {}

    def in_place_of(self, value: Any, path: str = "") -> Any:
        if isinstance(value, dict):
            return {
                name: self.in_place_of(inner, f"{path}.{name}" if path else name)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.in_place_of(inner, path) for inner in value]
        canary = f"canary{len(self.path_of)}x"
        self.path_of[canary] = path
        return canary

    def seen_in(self, text: str) -> set[str]:
        return {path for canary, path in self.path_of.items() if canary in text}


def objects_of_stripe() -> Iterator[dict[str, Any]]:
    objects = gateway_spec("stripe/fixtures3.json")["resources"]
    intent, charge, refund = (objects[name] for name in ("payment_intent", "charge", "refund"))
    yield {**intent, "latest_charge": charge}
    yield {**intent, "last_payment_error": {"message": "m", "code": "card_declined"}}
    yield refund
    yield {"object": "list", "data": [refund, refund]}
    yield {"error": {"type": "card_error", "message": "no", "payment_intent": intent}}


def test_of_stripes_objects_exactly_the_allowed_fields_are_seen() -> None:
    noting = Noting(ALLOWED["stripe"])
    for body in objects_of_stripe():
        canaries = Canaries()
        answer = HttpAnswer(200, {}, json.dumps(canaries.in_place_of(body)).encode())
        answered = exchange(noting.noted(CALL, answer, 0.0, 1.0))["answer"]
        asked = exchange(noting.noted(HttpCall("POST", "/v1/x", {}, answer.body), NOT_SENT, 0.0, 1.0))
        there = set(canaries.path_of.values())
        assert canaries.seen_in(json.dumps(answered)) == there & ALLOWED["stripe"].received
        assert canaries.seen_in(json.dumps(asked["request"])) == there & ALLOWED["stripe"].sent


def nested(fields: Iterable[str]) -> dict[str, Any]:
    """An object with these fields and, beside those on each level, one that no list names; values go where both are."""
    body: dict[str, Any] = {"unlisted": "x"}
    for name in sorted({field.split(".")[0] for field in fields}):
        inner = [field[len(name) + 1 :] for field in fields if field.startswith(f"{name}.")]
        body[name] = ["x", nested(inner)] if inner else "x"
    return body


@pytest.mark.parametrize("gateway", [name for name, allowed in ALLOWED.items() if allowed.received])
def test_of_what_lies_beside_and_above_the_allowed_fields_nothing_is_seen(gateway: str) -> None:
    noting, allowed = Noting(ALLOWED[gateway]), ALLOWED[gateway]
    for fields, part in ((allowed.received, "answer"), (allowed.sent, "request")):
        canaries = Canaries()
        body = json.dumps(canaries.in_place_of(nested(fields))).encode()
        call, answer = HttpCall("POST", "/v1/x", {}, body), HttpAnswer(200, {}, body)
        told = exchange(noting.noted(call, answer if part == "answer" else NOT_SENT, 0.0, 1.0))[part]
        assert canaries.seen_in(json.dumps(told)) == fields


@pytest.mark.parametrize("gateway", [name for name, allowed in ALLOWED.items() if allowed.received])
def test_no_list_names_a_secret_or_who_pays(gateway: str) -> None:
    allowed = ALLOWED[gateway]
    for field in (*allowed.received, *allowed.sent, *allowed.query):
        assert not any(field == name or field.endswith(f".{name}") for name in SECRET), field
    assert not allowed.headers & {"authorization", "cookie", "set-cookie", "x-api-key"}
    assert all(name == name.lower() for name in allowed.headers)


_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12))
_NAMES = st.one_of(
    st.sampled_from(
        ["id", "status", "charge", "data", "card", "network", "amount", "lines", "sku", "secret"]
    ),
    st.text(max_size=6),
)
_BODIES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(_BODIES)
def test_a_value_is_seen_only_where_the_list_names_its_field(body: Any) -> None:
    canaries = Canaries()
    told = json.dumps(answered(json.dumps(canaries.in_place_of(body)).encode()))
    assert canaries.seen_in(told) <= SOME.received


@given(st.lists(st.tuples(_NAMES, st.just("canary")), max_size=6))
def test_a_value_of_a_form_is_seen_only_where_the_list_names_its_field(pairs: list[tuple[str, str]]) -> None:
    told = posted(urlencode(pairs).encode(), "application/x-www-form-urlencoded")
    shown = told.get("body") or {}
    assert {name for name, value in shown.items() if value == "canary"} <= {"amount"}


@given(st.binary(max_size=60))
def test_bytes_that_are_no_body_are_kept_by_their_size(body: bytes) -> None:
    try:
        json.loads(body)
    except ValueError:
        told = answered(b"\xff" + body)
        assert (told["bytes"], told["left_out"], "body" in told) == (len(body) + 1, "unreadable", False)


def test_names_of_hidden_fields_are_seen_and_what_is_absent() -> None:
    card = {"number": "4111", "exp": [1, 2]}
    body = {"id": "th_1", "client_secret": "s3cret", "email": None, "card": card, "charge": {"id": "ch_1"}}
    assert answered(json.dumps(body).encode())["body"] == {
        "id": "th_1",
        "client_secret": HIDDEN,
        "email": None,
        "card": {"number": HIDDEN, "exp": [HIDDEN, HIDDEN]},
        "charge": {"id": "ch_1"},
    }


@pytest.mark.parametrize(
    "value",
    [
        '"asha@shop.example"',
        '"Asha Rao"',
        '"4111111111111111"',
        '"4111-1111-1111-1111"',
        '"tok4111111111111111"',
        '"a_4111111111111111"',
        "4111111111111111",
        "1.5",
        '"https://shop.example/?key=1"',
        '"' + "a" * 201 + '"',
        '"caf\u00e9"',
        '"a\\u0000b"',
    ],
)
def test_what_is_no_word_or_could_be_a_card_is_hidden_even_in_a_field_of_the_list(value: str) -> None:
    assert answered(b'{"id":' + value.encode() + b"}")["body"] == {"id": HIDDEN}


@pytest.mark.parametrize(
    "value",
    [
        "pay_0123456789abcdef0123456789abcdef-p1",
        "pay_01234567890123456789012345678901c101",
        "spay_18ebde563cc8fcc302e4d1b1b35d",
        "pi_3QK2eZ2eZvKYlo2C0abcdefg",
        "12.34",
        "2026-10-28.endive",
        "application/json; charset=utf-8",
        "",
        1999,
        True,
        1764236000,
    ],
)
def test_ids_amounts_codes_and_times_of_the_list_stay(value: object) -> None:
    assert answered(json.dumps({"id": value}).encode())["body"] == {"id": value}


def test_a_name_that_is_more_than_a_name_is_hidden() -> None:
    body = {"asha@shop.example": 1, "4111111111111111": 1, "n4111111111111111": 1, "a b": 1, "x" * 81: 1}
    assert answered(json.dumps(body).encode())["body"] == {HIDDEN: HIDDEN}


def test_headers_keep_their_names_and_those_of_the_list_their_values() -> None:
    call = HttpCall(
        "POST", "/v1/things", {"Authorization": "Bearer sk_1", "Idempotency-Key": "pay_1-p1"}, b"{}"
    )
    assert asked(call)["headers"] == {"Authorization": HIDDEN, "Idempotency-Key": "pay_1-p1"}
    told = answered(b"{}", {"content-type": "application/json", "set-cookie": "session=1"})
    assert told["headers"] == {"content-type": "application/json", "set-cookie": HIDDEN}


def test_the_query_is_told_by_the_list_too_and_the_path_without_what_is_no_id() -> None:
    told = asked(HttpCall("GET", "/v1/things/th_1/a%40b?limit=3&expand[]=charge&client_secret=s3cret"))
    assert told["path"] == f"/v1/things/th_1/{HIDDEN}"
    assert told["query"] == {"limit": "3", "expand[]": "charge", "client_secret": HIDDEN}


def test_forms_are_read_by_the_same_names_as_json() -> None:
    form = b"amount=1999&card[network]=visa&card[token]=tok_1&lines[0][sku]=s1&lines[1][sku]=s2&lines[0][name]=Asha"
    assert posted(form, "application/x-www-form-urlencoded")["body"] == {
        "amount": "1999",
        "card[network]": "visa",
        "card[token]": HIDDEN,
        "lines[0][sku]": "s1",
        "lines[1][sku]": "s2",
        "lines[0][name]": HIDDEN,
    }


def test_a_body_that_is_too_large_is_kept_by_its_size() -> None:
    body = json.dumps({"id": "th_1", "more": "x" * LARGEST_READ}).encode()
    told = answered(body)
    assert (told["left_out"], told["bytes"], "body" in told) == ("too_large", len(body), False)
    form = b"amount=" + b"1" * LARGEST_READ
    assert posted(form, "application/x-www-form-urlencoded")["left_out"] == "too_large"


def test_an_exchange_is_bounded_however_many_fields_it_has() -> None:
    many = {f"field_{number}": "x" for number in range(800)}
    headers = {f"header-{number}": "x" for number in range(500)}
    call = HttpCall("POST", "/" + "a" * 5000, headers, json.dumps(many).encode())
    noted = Noting(SOME).noted(call, HttpAnswer(200, headers, json.dumps(many).encode()), 0.0, 1.0)
    assert len(noted.told) <= MOST_TOLD
    told = exchange(noted)
    assert told["request"]["left_out"] == told["answer"]["left_out"] == "too_large"


def test_what_is_nested_deeper_than_anybody_nests_is_hidden() -> None:
    body = b'{"a":' * 40 + b'"canary"' + b"}" * 40
    assert "canary" not in json.dumps(answered(body))
    assert answered(b"[" * 10_000 + b"]" * 10_000)["left_out"] == "unreadable"


def test_a_call_without_an_answer_says_why_in_words_that_no_gateway_wrote() -> None:
    noting = Noting(SOME)
    refused = exchange(noting.noted(CALL, NOT_SENT, 0.0, 1.0))
    assert refused["no_answer"] == {
        "outcome": "not_sent",
        "kind": "NETWORK_ERROR",
        "reason": "could not connect: refused",
    }
    unread = Unknown("the answer is no HTTP: s3cret", kind=UnknownKind.UNREADABLE)
    assert "s3cret" not in noting.noted(CALL, unread, 0.0, 1.0).told


def test_what_is_told_can_be_read_again() -> None:
    noted = Noting(SOME).noted(CALL, HttpAnswer(200, {}, b'{"id":"th_1"}'), 0.0, 12.3456)
    read = msgspec.json.decode(noted.told, type=Exchange)
    assert (read.took_ms, read.answer and read.answer.body) == (12.346, {"id": "th_1"})


OF_CARDS = (
    "number",
    "cvc",
    "cvv",
    "exp_month",
    "exp_year",
    "expiryMonth",
    "expiration-date",
    "holderName",
    "cardholder-name",
)


@pytest.mark.parametrize("field", OF_CARDS)
def test_no_allow_list_can_name_a_field_of_a_card(field: str) -> None:
    for listed in (field, f"card.{field}", f"payment_method_data.card.{field}"):
        for part in ("query", "sent", "received"):
            with pytest.raises(ValueError, match="card data is never kept"):
                AllowList(**{part: frozenset({listed})})


def of_a_vaulted_card(name: str) -> HttpCall:
    """The call of this gateway that carries a card."""
    options = {"adyen": {"return_url": "https://shop.test/back"}}.get(name, {})
    config = GatewayConfig(name, name, "https://gateway.test", "key_1", account="acct_1", options=options)
    flow = ADAPTERS[name](config).process(VAULTED)
    assert isinstance(next(flow), OpenCard)
    call = flow.send(MASTERCARD)  # type: ignore[arg-type]
    assert isinstance(call, HttpCall)
    return call


@pytest.mark.parametrize("name", ["stripe", "adyen"])
@pytest.mark.parametrize("allowed", ALLOWED.values(), ids=ALLOWED)
def test_neither_number_nor_code_of_a_card_is_kept_whatever_is_allowed(name: str, allowed: AllowList) -> None:
    call = of_a_vaulted_card(name)
    assert NUMBER.encode() in (call.body or b"")
    # As some gateways do, it quotes what it was sent, in an answer that is an error.
    answer = HttpAnswer(
        400,
        {"Content-Type": "application/json"},
        json.dumps({"error": {"message": NUMBER, "cvc": CODE, "code": NUMBER, "id": NUMBER}}).encode(),
    )
    for result in (NOT_SENT, answer):
        told = Noting(allowed).noted(call, result, 0.0, 1.0).told
        assert NUMBER not in told
        assert CODE not in told
