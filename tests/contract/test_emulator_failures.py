"""Every failure mode of the emulator's table, brought about at each gateway that has it, as a caller sees it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from braintree.util.xml_util import XmlUtil
from support.braintree_process import BRAINTREE_MERCHANT
from support.emulated_gateways import AMOUNT, Call, Emulated, Paid, RunningEmulator, Seen, running_emulator
from support.emulated_webhooks import is_genuine, told_of
from support.merchant_server import Received, Sink, a_sink
from support.payers import payer_clicks
from support.paypal_process import granted
from support.sandbox_process import HttpAnswer, eventually

from aegis_worker.emulator.failure import Failure
from aegis_worker.emulator.failures import FAILURES
from aegis_worker.emulator.scripts import Effect, Script, Telling, Wire
from aegis_worker.emulator.tokens import named

_SALES = f"/merchants/{BRAINTREE_MERCHANT}/transactions"
# So that nobody waits: what takes a number is given a small one.
QUICK = {
    "answer_after_ms": 200,
    "clock_s": 3600,
    "commit_after_s": 1,
    "dispute_s": 0,
    "down_s": 60,
    "hidden_s": 60,
    "hold_s": 0,
    "payer_s": 60,
    "retry_after_s": 3,
    "settle_s": 0,
    "settles_s": 60,
    "telling_s": 60,
}


def cases(failures: Iterable[Failure]) -> list[Any]:
    """Each failure with each gateway that has it. Once each is tried in the default run, the gateways in turn."""
    return [
        pytest.param(
            failure,
            gateway,
            id=f"{failure.name}-{gateway}",
            marks=[] if turn % len(failure.where) == place else [pytest.mark.slow],
        )
        for turn, failure in enumerate(failures)
        for place, gateway in enumerate(failure.where)
    ]


@pytest.fixture(scope="module")
def shop() -> Iterator[Sink]:
    with a_sink() as running:
        yield running


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory, shop: Sink) -> Iterator[RunningEmulator]:
    folder = tmp_path_factory.mktemp("emulator")
    with running_emulator(folder, "--webhooks-to", shop.url("/{gateway}")) as running:
        yield running


def quick(failure: Failure) -> str:
    script = named(failure.script)
    return f"{script.name}_{QUICK.get(script.takes, 1)}" if script.takes else script.name


@pytest.mark.parametrize(("failure", "gateway"), cases(one for one in FAILURES if one.script))
def test_a_script(failure: Failure, gateway: str, emulator: RunningEmulator, shop: Sink) -> None:
    at, name = emulator.gateways[gateway], quick(failure)
    script = named(name)
    if failure.then:
        _BY_A_PERSON[failure.name](at)
    elif script.telling:
        _told(at, shop, script, name)
    elif failure.operation == "look_up":
        paid = at.charge()
        _seen(at.do("look_up", paid.reference, script=name), script, at, paid.reference)
    elif failure.operation != "charge":
        _moved(at, failure.operation, script, name)
    else:
        _charged(at, script, name)


@pytest.mark.parametrize(("failure", "gateway"), cases(one for one in FAILURES if one.faults))
def test_the_faults_of_an_instance(failure: Failure, gateway: str, emulator: RunningEmulator) -> None:
    at = emulator.gateways[gateway]
    before = at.charge()
    assert at.control("POST", "faults", json.loads(failure.faults)).status == 200
    try:
        seen = at.charge().seen if failure.operation == "charge" else None
        looked = at.do("look_up", before.reference) if failure.operation == "look_up" else None
    finally:
        at.control("POST", "faults", {})
    wanted = {"down": 503, "limited": 429, "look_ups_down": 503}.get(failure.name)
    if wanted:
        assert (seen or looked or Seen("")).status == wanted
    assert at.charge().seen.status < 300


@pytest.mark.parametrize(
    ("failure", "gateway"), cases(one for one in FAILURES if not one.script and not one.faults)
)
def test_by_hand(failure: Failure, gateway: str, emulator: RunningEmulator) -> None:
    _BY_A_PERSON[failure.name](emulator.gateways[gateway])


def _dispute_by_hand(at: Emulated) -> None:
    payment = at.booked(at.charge().reference)[0]
    opened = at.control("POST", "disputes", {"payment_id": payment["payment_id"]})
    at.control("POST", "disputes", {"id": opened.json["id"], "status": "won"})
    assert [one["status"] for one in at.booked(payment["reference"])[0]["disputes"]] == ["won"]


def test_the_table_has_sixty_failures_of_every_family_with_names_of_their_own() -> None:
    assert len({failure.name for failure in FAILURES}) == len(FAILURES) >= 60
    assert {failure.family for failure in FAILURES} == {
        "the bank",
        "the gateway",
        "the payer",
        "webhooks",
        "later",
    }
    assert [failure.name for failure in FAILURES if not failure.where or not failure.triggers] == []


def _charged(at: Emulated, script: Script, name: str) -> None:
    held = bool(script.takes == "hold_s" or script.honoured_only)
    key = uuid.uuid4().hex
    paid = at.charge(script=name, held=held, key=key)
    _seen(paid.seen, script, at, paid.reference)
    rows = at.booked(paid.reference)
    if script.effect is Effect.NOTHING:
        assert [row["captured"] for row in rows] in ([], [0])
    elif script.effect is Effect.DECLINE:
        assert [row["captured"] for row in rows] == [0]
    elif script.payer_must_act:
        assert rows[0]["status"] == "requires_action"
    elif script.commit_after_s:
        assert eventually(lambda: at.booked(paid.reference)[0]["captured"] == AMOUNT)
    elif script.effect is Effect.PENDING:
        assert rows[0]["captured"] == (0 if script.code else AMOUNT)
    elif script.effect is Effect.SEND_BACK:
        assert (rows[0]["captured"], rows[0]["refunded"]) == (AMOUNT, AMOUNT)
    elif script.takes == "hold_s":
        assert eventually(lambda: at.booked(paid.reference)[0]["status"] == "voided")
    elif script.honoured_only:
        at.control("POST", "clock", {"advance_s": 4 * 86_400})
        assert at.do("capture", paid.reference).status == 422
    elif script.dispute:
        wanted = script.dispute_ends or script.dispute
        assert eventually(lambda: _disputes(at, paid.reference) == [wanted])
    else:
        assert rows[0]["captured"] == AMOUNT
    _kept_under_the_key(at, script, paid, key)
    if script.hidden_s or script.down_s:
        # Razorpay says 400 of an id that is nobody's.
        assert at.do("look_up", paid.reference).status in ((400, 404) if script.hidden_s else (503,))


def _disputes(at: Emulated, reference: str) -> list[str]:
    return [str(one["status"]) for one in at.booked(reference)[0]["disputes"]]


def _kept_under_the_key(at: Emulated, script: Script, paid: Paid, key: str) -> None:
    if script.stores_error is None and not script.forgets_key:
        return
    again = at.charge(reference=paid.reference, key=key).seen
    if script.stores_error is not None:
        assert again.status in ((500,) if script.stores_error else (200, 201))
    captured = [row["captured"] for row in at.booked(paid.reference)]
    assert captured == [AMOUNT] * (2 if script.forgets_key else 1)


def _seen(seen: Seen, script: Script, at: Emulated, reference: str) -> None:
    _LOOKS_LIKE[script.wire](seen, script, at, reference)


def _answered(seen: Seen, script: Script, at: Emulated, reference: str) -> None:
    assert seen.how == "answer"
    assert seen.json is not None
    if script.effect not in (Effect.DECLINE, Effect.LATE):
        assert seen.status < 300
    if script.clock_s:
        assert seen.headers["date"] > ""


def _is(how: str) -> Callable[[Seen, Script, Emulated, str], None]:
    def check(seen: Seen, script: Script, at: Emulated, reference: str) -> None:
        assert seen.how == how

    return check


def _has(*statuses: int) -> Callable[[Seen, Script, Emulated, str], None]:
    def check(seen: Seen, script: Script, at: Emulated, reference: str) -> None:
        assert seen.status in statuses
        # Braintree says nothing beside the status, unless it is of a call that is not valid.
        assert seen.json is not None or at.name == "braintree"

    return check


def _limited(seen: Seen, script: Script, at: Emulated, reference: str) -> None:
    assert (seen.status, seen.headers["retry-after"]) == (429, str(script.retry_after_s))


def _no_json(seen: Seen, script: Script, at: Emulated, reference: str) -> None:
    assert (seen.status, seen.json) == (502 if script.wire is Wire.PROXY_PAGE else seen.status, None)
    assert seen.body or script.wire is Wire.EMPTY


def _wrongly_typed(seen: Seen, script: Script, at: Emulated, reference: str) -> None:
    assert seen.headers["content-type"].startswith("text/html")
    assert seen.json is not None


def _about_something_else(seen: Seen, script: Script, at: Emulated, reference: str) -> None:
    row, text = at.booked(reference)[0], json.dumps(seen.json, default=str)
    amounts = ("1999", "19.99")
    if script.wire is Wire.OTHER_PAYMENT:
        assert row["payment_id"] != seen.json.get("id", seen.json.get("pspReference"))
    elif script.wire is Wire.OTHER_AMOUNT:
        shown = [
            form.format(amount) for amount in amounts for form in ('"value": "{}"', '"amount": "{}"', ": {},")
        ]
        assert not any(one in text for one in shown)
    else:
        assert "CHF" in text.upper()
        assert '"USD"' not in text.upper()


_LOOKS_LIKE: dict[Wire, Callable[[Seen, Script, Emulated, str], None]] = {
    Wire.ANSWER: _answered,
    Wire.DROP: _is("dropped"),
    Wire.RESET: _is("reset"),
    Wire.HALF: _is("broken off"),
    Wire.ERROR: _has(500),
    Wire.UNAVAILABLE: _has(503),
    Wire.UNAUTHORIZED: _has(401),
    Wire.BUSY: _has(409, 422),
    Wire.RATE_LIMIT: _limited,
    Wire.GARBAGE: _no_json,
    Wire.PROXY_PAGE: _no_json,
    Wire.EMPTY: _no_json,
    Wire.SHORT: _no_json,
    Wire.WRONG_TYPE: _wrongly_typed,
    Wire.OTHER_PAYMENT: _about_something_else,
    Wire.OTHER_AMOUNT: _about_something_else,
    Wire.OTHER_CURRENCY: _about_something_else,
}


def _moved(at: Emulated, operation: str, script: Script, name: str) -> None:
    """A capture, refund or void under a script, of a payment that allows it."""
    paid = at.charge(held=operation != "refund")
    seen = at.do(operation, paid.reference, script=name)
    if not (at.name == "adyen" and script.effect is Effect.DECLINE):
        _seen(seen, script, at, paid.reference)
    row = {"capture": "captured", "refund": "refunded"}.get(operation, "status")
    undone = script.effect in (Effect.TAKE_BACK, Effect.SEND_BACK) or bool(script.code)
    if script.effect is Effect.NOTHING or undone:
        wanted: list[Any] = ["authorized" if operation == "void" else 0]
    else:
        wanted = ["voided" if operation == "void" else AMOUNT]
    assert eventually(lambda: [at.booked(paid.reference)[0][row]] == wanted)


def _page_of(at: Emulated, script: str) -> tuple[str, str]:
    """A charge that waits for its payer: the page, and the reference."""
    paid = at.charge(script=script)
    payment = at.booked(paid.reference)[0]["payment_id"]
    return f"{at.url}/3ds/{payment}", paid.reference


def _payer_fails(at: Emulated) -> None:
    page, reference = _page_of(at, "3ds_abandoned_60")
    _brings_back(at, payer_clicks(page, "fail"))
    assert (at.booked(reference)[0]["status"], at.booked(reference)[0]["captured"]) == ("failed", 0)


def _payer_returns_twice(at: Emulated) -> None:
    page, reference = _page_of(at, "3ds_abandoned_60")
    for _ in range(2):
        _brings_back(at, payer_clicks(page, "pass"))
    assert [row["captured"] for row in at.booked(reference)] == [AMOUNT]


def _payer_returns_late(at: Emulated) -> None:
    page, reference = _page_of(at, "3ds_abandoned_0")
    assert eventually(lambda: at.booked(reference)[0]["status"] == "failed")
    _brings_back(at, payer_clicks(page, "pass"))
    assert at.booked(reference)[0]["captured"] == 0


def _brings_back(at: Emulated, clicked: HttpAnswer) -> None:
    """Adyen moves nothing before what the payer brought back is handed on."""
    if at.name != "adyen":
        return
    result = parse_qs(urlsplit(clicked.headers["location"]).query)["redirectResult"][0]
    body = json.dumps({"details": {"redirectResult": result}}).encode()
    at.call(Call("POST", "/v71/payments/details", body, {"Content-Type": "application/json"}))


def _void_while_capturing(at: Emulated) -> None:
    paid = at.charge(held=True)
    at.do("capture", paid.reference, script="pending_1")
    at.do("void", paid.reference)
    assert eventually(lambda: at.booked(paid.reference)[0]["status"] in ("succeeded", "voided"))
    row = at.booked(paid.reference)[0]
    assert row["captured"] == (AMOUNT if row["status"] == "succeeded" else 0)


def _key_expired(at: Emulated) -> None:
    key = uuid.uuid4().hex
    reference = at.charge(key=key).reference
    assert len(at.booked(at.charge(key=key, reference=reference).reference)) == 1
    at.control("POST", "clock", {"advance_s": 86_401})
    assert len(at.booked(at.charge(key=key, reference=reference).reference)) == 2


def _token_revoked(at: Emulated) -> None:
    def called(token: str) -> int:
        looked = Call("GET", "/v1/customer/disputes?disputed_transaction_id=X")
        return at.call(looked, authorization=f"Bearer {token}").status

    token = granted(at.url).json["access_token"]
    assert called(token) == 200
    at.control("POST", "tokens", {"revoke": True})
    assert (called(token), called(granted(at.url).json["access_token"])) == (401, 200)


def _order(at: Emulated, script: str = "") -> str:
    """PayPal's order that waits for its payer."""
    unit = {"amount": {"currency_code": "USD", "value": "19.99"}}
    body = json.dumps({"intent": "CAPTURE", "purchase_units": [unit]}).encode()
    posted = Call("POST", "/v2/checkout/orders", body, {"Content-Type": "application/json"})
    return str(at.call(posted, emulator_script=script).json["id"])


def _razorpay_order(at: Emulated, **fields: Any) -> str:
    """An order that is captured by hand and waits for its payer."""
    body = {"amount": AMOUNT, "currency": "USD", "payment_capture": False, **fields}
    return str(at.call(_posted("/v1/orders", body)).json["id"])


def _posted(path: str, body: Any, **headers: str) -> Call:
    return Call("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})


def _payer_pays(at: Emulated, order: str, token: str = "tok_ok") -> str:
    """The payment's id, whether it failed or not."""
    said = at.call(_posted(f"/checkout/{order}/pay", {"token": token})).json
    found = said["error"]["metadata"]["payment_id"] if "error" in said else said["razorpay_payment_id"]
    return str(found)


def _payment(at: Emulated, payment: str) -> Any:
    return at.call(Call("GET", f"/v1/payments/{payment}")).json


def _pays_again(at: Emulated) -> None:
    order = _razorpay_order(at)
    tokens = ("tok_soft_insufficient_funds", "tok_ok")
    statuses = [_payment(at, _payer_pays(at, order, token))["status"] for token in tokens]
    assert statuses == ["failed", "authorized"]


def _late_duplicate(at: Emulated) -> None:
    order = _razorpay_order(at, payment_capture=True)
    late, first = _payer_pays(at, order, "tok_late_authorization_60"), _payer_pays(at, order)
    at.control("POST", "clock", {"advance_s": 61})
    assert (_payment(at, late)["status"], _payment(at, first)["status"]) == ("refunded", "captured")


def _never_captured(at: Emulated) -> None:
    payment = _payer_pays(at, _razorpay_order(at))
    at.control("POST", "clock", {"advance_s": 259_201})
    shown = _payment(at, payment)
    assert (shown["status"], shown["captured"], shown["refund_status"]) == ("refunded", False, "full")


def _captured_again(at: Emulated) -> None:
    capture = _posted(f"/v1/payments/{_payer_pays(at, _razorpay_order(at))}/capture", _WHOLE)
    assert at.call(capture).status == 200
    assert at.call(capture).json["error"]["description"] == "This payment has already been captured"


def _captured_in_part(at: Emulated) -> None:
    payment = _payer_pays(at, _razorpay_order(at))
    part = {**_WHOLE, "amount": AMOUNT - 1}
    assert at.call(_posted(f"/v1/payments/{payment}/capture", part)).status == 400
    assert _payment(at, payment)["status"] == "authorized"


def _receipt_twice(at: Emulated) -> None:
    receipt = uuid.uuid4().hex
    unique = [_razorpay_order(at, receipt=receipt, unique_receipt=True) for _ in range(2)]
    assert unique[0] == unique[1] != _razorpay_order(at, receipt=receipt)


def _refund_key_reused(at: Emulated) -> None:
    payment, key = _payer_pays(at, _razorpay_order(at, payment_capture=True)), uuid.uuid4().hex
    place, header = f"/v1/payments/{payment}/refund", {"X-Refund-Idempotency": key}
    assert at.call(_posted(place, {"amount": 500}, **header)).status == 200
    assert at.call(_posted(place, {"amount": 600}, **header)).status == 409


_WHOLE = {"amount": AMOUNT, "currency": "USD"}


def _status_of(at: Emulated, order: str) -> str:
    return str(at.call(Call("GET", f"/v2/checkout/orders/{order}")).json["status"])


def _payer_cancels(at: Emulated) -> None:
    order = _order(at)
    at.call(Call("POST", f"/checkoutnow/{order}/cancel"))
    assert _status_of(at, order) in ("CREATED", "PAYER_ACTION_REQUIRED")


def _approval_reversed(at: Emulated) -> None:
    order = _order(at, "approval_reversed_10")
    at.call(Call("POST", f"/checkoutnow/{order}/approve"))
    assert _status_of(at, order) == "APPROVED"
    at.control("POST", "clock", {"advance_s": 11})
    assert at.call(Call("GET", f"/v2/checkout/orders/{order}")).json.get("status") != "APPROVED"


def _sale(at: Emulated, path: str = "", **fields: Any) -> Seen:
    """A POST about sales of Braintree's; a sale itself where no path is given."""
    raw = XmlUtil.xml_from_dict({"transaction": fields}).encode()
    headers = {"Content-Type": "application/xml"}
    return at.call(Call("PUT" if path else "POST", f"{_SALES}{path}", raw, headers))


def _paid_once(**pays: str) -> dict[str, Any]:
    reference = {"order_id": uuid.uuid4().hex, "options": {"submit_for_settlement": True}}
    return {"type": "sale", "amount": "19.99", **(pays or {"payment_method_token": "tok_ok"}), **reference}


def _code(seen: Seen) -> str:
    return str(seen.json["errors"]["transaction"]["errors"][0]["code"])


def _duplicate(at: Emulated) -> None:
    sale = _paid_once()
    seen = [_sale(at, **sale).status, _sale(at, **sale).json["transaction"]["gateway_rejection_reason"]]
    assert seen == [201, "duplicate"]
    assert [row["captured"] for row in at.booked(sale["order_id"])] == [AMOUNT, 0]


def _duplicate_unnoticed(at: Emulated) -> None:
    sale = _paid_once()
    _sale(at, **sale)
    at.control("POST", "clock", {"advance_s": 31})
    _sale(at, **sale)
    assert [row["captured"] for row in at.booked(sale["order_id"])] == [AMOUNT, AMOUNT]


def _nonce_consumed(at: Emulated) -> None:
    sale = _paid_once(payment_method_nonce="fake-valid-nonce")
    assert (_sale(at, **sale).status, _code(_sale(at, **sale))) == (201, "91564")


def _refund_before_settlement(at: Emulated) -> None:
    sale = _sale(at, **_paid_once(payment_method_token="tok_settles_60")).json["id"]
    refund = Call("POST", f"{_SALES}/{sale}/refund", b"", {"Content-Type": "application/xml"})
    assert _code(at.call(refund)) == "91506"
    assert _sale(at, f"/{sale}/void").json["status"] == "voided"


def _order_id_moves(at: Emulated) -> None:
    sale = _paid_once() | {"options": {}}
    held = _sale(at, **sale).json["id"]
    _sale(at, f"/{held}/submit_for_settlement", order_id=f"{sale['order_id']}-c1")
    assert [_found_under(at, sale["order_id"]), _found_under(at, f"{sale['order_id']}-c1")] == [[], [held]]


def _found_under(at: Emulated, order_id: str) -> list[str]:
    raw = XmlUtil.xml_from_dict({"search": {"order_id": {"is": order_id}}}).encode()
    found = at.call(Call("POST", f"{_SALES}/advanced_search_ids", raw, {"Content-Type": "application/xml"}))
    return list(found.json["ids"])


def _failed_in_the_browser(at: Emulated) -> None:
    shown = _sale(at, **_paid_once(payment_method_token="tok_3ds_fail")).json["transaction"]
    assert (shown["status"], shown["gateway_rejection_reason"]) == ("gateway_rejected", "three_d_secure")


def _hold_expired(at: Emulated) -> None:
    reference = at.charge(held=True).reference
    at.control("POST", "clock", {"advance_s": 8 * 86_400})
    assert at.do("look_up", reference).json["status"] == "authorization_expired"


_BY_A_PERSON: dict[str, Callable[[Emulated], None]] = {
    "approval_reversed": _approval_reversed,
    "captured_again": _captured_again,
    "captured_in_part": _captured_in_part,
    "late_duplicate": _late_duplicate,
    "never_captured": _never_captured,
    "pays_again": _pays_again,
    "receipt_twice": _receipt_twice,
    "refund_key_reused": _refund_key_reused,
    "dispute_by_hand": _dispute_by_hand,
    "duplicate": _duplicate,
    "duplicate_unnoticed": _duplicate_unnoticed,
    "hold_expired": _hold_expired,
    "nonce_consumed": _nonce_consumed,
    "failed_in_the_browser": _failed_in_the_browser,
    "order_id_moves": _order_id_moves,
    "refund_before_settlement": _refund_before_settlement,
    "key_expired": _key_expired,
    "payer_cancels": _payer_cancels,
    "token_revoked": _token_revoked,
    "payer_fails": _payer_fails,
    "payer_returns_twice": _payer_returns_twice,
    "payer_returns_late": _payer_returns_late,
    "void_while_capturing": _void_while_capturing,
}


def _told(at: Emulated, shop: Sink, script: Script, name: str) -> None:
    paid = at.charge(script=name)
    assert paid.seen.status < 300
    at.settle(paid.reference)
    if script.telling in (Telling.LATE, Telling.REORDERED):
        assert told_of(at, shop, paid.reference) == []
        at.control("POST", "clock", {"advance_s": 121})
    if script.telling is Telling.LOST:
        assert eventually(lambda: _not_sent(at))
        assert told_of(at, shop, paid.reference) == []
        return
    if script.telling is Telling.MALFORMED:
        assert eventually(lambda: any(_is_half(at, one) for one in shop.at(f"/{at.name}")))
        return
    wanted = 3 if script.telling is Telling.REPEATED else 1
    assert eventually(lambda: len(told_of(at, shop, paid.reference)) >= wanted)
    events = told_of(at, shop, paid.reference)
    if script.telling in (Telling.LATE, Telling.REPEATED, Telling.REORDERED, Telling.OTHER_ACCOUNT):
        assert all(is_genuine(at, one) for one in events)
    elif script.telling in (Telling.FORGED, Telling.WRONG_SECRET, Telling.UNSIGNED):
        assert not any(is_genuine(at, one) for one in events)


def _is_half(at: Emulated, webhook: Received) -> bool:
    if at.name == "braintree":
        return not is_genuine(at, webhook)
    try:
        json.loads(webhook.body)
    except ValueError:
        return True
    return False


def _not_sent(at: Emulated) -> bool:
    deliveries = at.control("GET", "deliveries").json["deliveries"]
    return any(one["script"] == "webhook_lost" and one["status"] is None for one in deliveries)
