"""The emulator's Razorpay: the official SDK drives it and checks its signatures; Razorpay's fixtures say what it shows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import razorpay
from support.gateway_specs import gateway_spec
from support.merchant_server import Sink
from support.payers import payer_clicks, request_to
from support.razorpay_process import (
    RAZORPAY_ACCOUNT,
    RAZORPAY_WEBHOOK,
    RazorpayClient,
    payer_pays,
    payer_waits,
    running_razorpay,
    sdk,
)
from support.sandbox_process import HttpAnswer, Sandbox, eventually
from support.telling import Telling, telling

AMOUNT = 50_000
# Of an older API than today's, or the merchant's own.
NOT_HELD = frozenset({"notes", "service_tax", "udf"})


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    with telling(
        running_razorpay, tmp_path_factory.mktemp("razorpay"), "razorpay", RAZORPAY_WEBHOOK
    ) as running:
        yield running


@pytest.fixture
def client(emulator: Sandbox) -> Any:
    """The official SDK."""
    return sdk(emulator.url)


@pytest.fixture
def raw(emulator: Sandbox) -> RazorpayClient:
    """Plain HTTP."""
    return RazorpayClient(emulator.url)


def order(capture: str = "manual", **fields: Any) -> dict[str, Any]:
    receipt = uuid.uuid4().hex
    options = {"automatic_expiry_period": 12} if capture == "automatic" else {"manual_expiry_period": 7200}
    return {
        "amount": AMOUNT,
        "currency": "INR",
        "receipt": receipt,
        "notes": {"merchant_payment_id": f"pay_{receipt}"},
        "payment": {"capture": capture, "capture_options": {**options, "refund_speed": "normal"}},
        **fields,
    }


def ordered(client: Any, capture: str = "manual", **fields: Any) -> str:
    """The id of a new order."""
    return str(client.order.create(order(capture, **fields))["id"])


def paid(emulator: Sandbox, client: Any, token: str = "", capture: str = "manual", **source: str) -> str:
    """The id of a payment that a payer has just made."""
    answer = payer_pays(emulator.url, ordered(client, capture), token, **source)
    assert answer.status == 200, answer.body
    return str(answer.json["razorpay_payment_id"])


def captured(emulator: Sandbox, client: Any, token: str = "") -> str:
    payment = paid(emulator, client, token)
    client.payment.capture(payment, AMOUNT, {"currency": "INR"})
    return payment


def refused(answer: HttpAnswer, status: int = 400) -> str:
    """Why a call was refused, in Razorpay's words."""
    assert answer.status == status, answer.body
    error = answer.json["error"]
    assert {"code", "description", "source", "step", "reason", "metadata"} <= error.keys()
    return str(error["description"])


def booked(emulator: Sandbox, payment: str) -> tuple[str, int, int]:
    (row,) = [one for one in emulator.ledger() if one["payment_id"] == payment]
    return row["status"], row["captured"], row["refunded"]


def advance(emulator: Sandbox, days: float = 0, seconds: float = 0) -> None:
    """So much later it is for the emulator."""
    assert emulator.post("/_sandbox/clock", {"advance_s": days * 86_400 + seconds}).status == 200


def told(shop: Sink, about: str) -> list[dict[str, Any]]:
    """The events that name this id, in the order in which they came."""
    return [one.json for one in shop.at("/razorpay") if about.encode() in one.body]


def kinds(shop: Sink, about: str) -> list[str]:
    return [one["event"] for one in told(shop, about)]


class TestPaying:
    def test_the_sdk_orders_the_payer_pays_and_the_sdk_captures(
        self, client: Any, emulator: Sandbox, shop: Sink
    ) -> None:
        given = order()
        made = client.order.create(given)
        assert (made["status"], made["amount_due"], made["attempts"]) == ("created", AMOUNT, 0)
        proof = payer_pays(emulator.url, made["id"]).json
        assert client.utility.verify_payment_signature(proof)
        payment = proof["razorpay_payment_id"]
        shown = client.payment.fetch(payment)
        assert (shown["status"], shown["captured"], shown["order_id"]) == ("authorized", False, made["id"])
        done = client.payment.capture(payment, AMOUNT, {"currency": "INR"})
        assert (done["status"], done["captured"], done["fee"]) == ("captured", True, 1180)
        after = client.order.fetch(made["id"])
        assert (after["status"], after["amount_paid"], after["amount_due"]) == ("paid", AMOUNT, 0)
        (row,) = emulator.booked(given["receipt"])
        assert (row["status"], row["captured"], row["captures"]) == ("succeeded", AMOUNT, [AMOUNT])
        assert row["merchant_payment_id"] == given["notes"]["merchant_payment_id"]
        expected = ["payment.authorized", "payment.captured", "order.paid"]
        assert eventually(lambda: kinds(shop, payment) == expected)

    def test_a_proof_for_another_order_is_none(self, client: Any, emulator: Sandbox) -> None:
        proof = payer_pays(emulator.url, ordered(client)).json
        proof["razorpay_order_id"] = ordered(client)
        with pytest.raises(razorpay.errors.SignatureVerificationError):
            client.utility.verify_payment_signature(proof)

    @pytest.mark.parametrize(
        ("method", "detail"),
        [
            ("card", "card_id"),
            ("upi", "vpa"),
            ("netbanking", "bank"),
            ("wallet", "wallet"),
            ("paylater", "wallet"),
        ],
    )
    def test_each_method_shows_what_it_was_paid_with(
        self, client: Any, emulator: Sandbox, method: str, detail: str
    ) -> None:
        shown = client.payment.fetch(paid(emulator, client, method=method))
        assert (shown["method"], bool(shown[detail])) == (method, True)

    def test_an_order_may_be_captured_by_itself(self, client: Any, emulator: Sandbox, shop: Sink) -> None:
        payment = paid(emulator, client, capture="automatic")
        assert booked(emulator, payment) == ("succeeded", AMOUNT, 0)
        assert eventually(lambda: "order.paid" in kinds(shop, payment))
        first = told(shop, payment)[0]
        assert (first["event"], first["payload"]["payment"]["entity"]["status"]) == (
            "payment.authorized",
            "authorized",
        )

    def test_a_failed_payment_says_why_and_the_order_may_be_paid_by_another(
        self, client: Any, emulator: Sandbox, shop: Sink
    ) -> None:
        order_id = ordered(client)
        answer = payer_pays(emulator.url, order_id, "tok_soft_insufficient_funds")
        assert "insufficient" in refused(answer)
        failed = answer.json["error"]["metadata"]["payment_id"]
        shown = client.payment.fetch(failed)
        assert (shown["status"], shown["error_code"], shown["error_reason"]) == (
            "failed",
            "BAD_REQUEST_ERROR",
            "insufficient_funds",
        )
        assert (shown["error_source"], shown["error_step"]) == ("customer", "payment_authorization")
        assert client.order.fetch(order_id)["status"] == "attempted"
        assert payer_pays(emulator.url, order_id).status == 200
        both = client.order.payments(order_id)
        assert [one["status"] for one in both["items"]] == ["authorized", "failed"]
        assert client.order.fetch(order_id)["attempts"] == 2
        assert eventually(lambda: kinds(shop, failed) == ["payment.failed"])

    def test_a_paid_order_is_not_paid_again(self, client: Any, emulator: Sandbox) -> None:
        order_id = ordered(client, "automatic")
        payer_pays(emulator.url, order_id)
        assert "already paid" in refused(payer_pays(emulator.url, order_id))

    def test_razorpays_own_upi_ids_for_tests(self, client: Any, emulator: Sandbox) -> None:
        order_id = ordered(client)
        failed = payer_pays(emulator.url, order_id, method="upi", vpa="failure@razorpay")
        assert refused(failed) == "Payment failed"
        assert payer_pays(emulator.url, order_id, method="upi", vpa="success@razorpay").status == 200

    def test_a_pending_upi_payment_is_decided_later(self, client: Any, emulator: Sandbox, shop: Sink) -> None:
        order_id = ordered(client)
        begun = payer_pays(emulator.url, order_id, "tok_pending_60", method="upi").json
        payment = begun["razorpay_payment_id"]
        assert begun["next"][0]["action"] == "poll"
        assert client.payment.fetch(payment)["status"] == "created"
        advance(emulator, seconds=60)
        proof = payer_waits(emulator.url, order_id, payment).json
        assert client.utility.verify_payment_signature(proof)
        assert client.payment.fetch(payment)["status"] == "authorized"
        assert eventually(lambda: kinds(shop, payment) == ["payment.authorized"])

    @pytest.mark.parametrize(("button", "status"), [("pass", "authorized"), ("fail", "failed")])
    def test_the_payer_passes_or_fails_3d_secure(
        self, client: Any, emulator: Sandbox, button: str, status: str
    ) -> None:
        begun = payer_pays(emulator.url, ordered(client), "tok_3ds_abandoned_60").json
        page = begun["next"][0]
        assert page["action"] == "redirect"
        back = payer_clicks(page["url"], button)
        assert back.status == (200 if button == "pass" else 400)
        assert client.payment.fetch(begun["razorpay_payment_id"])["status"] == status

    def test_the_page_pays_and_leads_back_to_the_shop(self, client: Any, emulator: Sandbox) -> None:
        place, order_id = urlsplit(emulator.url).netloc, ordered(client)
        back = "https://shop.test/back"
        page = request_to(place, "GET", f"/checkout/{order_id}?callback_url={back}", b"", {}).body.decode()
        assert page.count(f'action="/checkout/{order_id}/pay"') == 5
        assert back in page
        form = urlencode({"method": "wallet", "callback_url": back}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        after = request_to(place, "POST", f"/checkout/{order_id}/pay", form, headers).body.decode()
        assert f'action="{back}"' in after
        assert "razorpay_signature" in after


class TestLateAuthorization:
    def test_a_failed_payment_is_authorized_later(self, client: Any, emulator: Sandbox, shop: Sink) -> None:
        answer = payer_pays(emulator.url, ordered(client), "tok_late_authorization_60")
        payment = answer.json["error"]["metadata"]["payment_id"]
        assert answer.json["error"]["reason"] == "payment_timed_out"
        assert client.payment.fetch(payment)["status"] == "failed"
        advance(emulator, seconds=60)
        shown = client.payment.fetch(payment)
        assert (shown["status"], shown["error_code"]) == ("authorized", None)
        assert eventually(lambda: kinds(shop, payment) == ["payment.failed", "payment.authorized"])

    def test_of_two_that_come_at_once_one_is_captured_and_the_other_given_back(
        self, client: Any, emulator: Sandbox
    ) -> None:
        order_id = ordered(client, "automatic")
        for _ in range(2):
            payer_pays(emulator.url, order_id, "tok_pending_30")
        advance(emulator, seconds=30)
        shown = client.order.payments(order_id)["items"]
        assert sorted(one["status"] for one in shown) == ["captured", "refunded"]
        assert sorted(booked(emulator, one["id"])[1] for one in shown) == [0, AMOUNT]

    def test_it_is_given_back_at_once_where_the_order_was_paid_otherwise(
        self, client: Any, emulator: Sandbox, shop: Sink
    ) -> None:
        order_id = ordered(client, "automatic")
        answer = payer_pays(emulator.url, order_id, "tok_late_authorization_60")
        late = answer.json["error"]["metadata"]["payment_id"]
        payer_pays(emulator.url, order_id)
        advance(emulator, seconds=60)
        shown = client.payment.fetch(late)
        assert (shown["status"], shown["captured"], shown["amount_refunded"]) == ("refunded", False, AMOUNT)
        assert booked(emulator, late) == ("voided", 0, 0)
        expected = ["payment.failed", "payment.authorized", "refund.created", "refund.processed"]
        assert eventually(lambda: kinds(shop, late) == expected)
        assert told(shop, late)[-1]["payload"]["payment"]["entity"]["captured"] is False

    @pytest.mark.parametrize(("after_s", "status"), [(600, "captured"), (900, "authorized")])
    def test_an_order_captures_automatically_for_as_long_as_it_says(
        self, client: Any, emulator: Sandbox, after_s: int, status: str
    ) -> None:
        token = f"tok_late_authorization_{after_s}"
        answer = payer_pays(emulator.url, ordered(client, "automatic"), token)
        advance(emulator, seconds=after_s)
        late = answer.json["error"]["metadata"]["payment_id"]
        assert client.payment.fetch(late)["status"] == status


class TestCapturing:
    def test_nobody_captures_and_the_payer_gets_the_money_back_after_three_days(
        self, client: Any, emulator: Sandbox, shop: Sink
    ) -> None:
        answer = payer_pays(emulator.url, str(client.order.create(plain())["id"])).json
        payment = answer["razorpay_payment_id"]
        advance(emulator, 2.9)
        assert client.payment.fetch(payment)["status"] == "authorized"
        advance(emulator, 0.2)
        shown = client.payment.fetch(payment)
        assert (shown["status"], shown["captured"], shown["refund_status"]) == ("refunded", False, "full")
        (refund,) = client.payment.fetch_multiple_refund(payment)["items"]
        assert (refund["amount"], refund["status"]) == (AMOUNT, "processed")
        expected = ["payment.authorized", "refund.created", "refund.processed"]
        assert eventually(lambda: kinds(shop, payment) == expected)

    def test_an_order_may_say_how_long_its_payments_wait(self, client: Any, emulator: Sandbox) -> None:
        options = {"manual_expiry_period": 60, "refund_speed": "normal"}
        order_id = ordered(client, payment={"capture": "manual", "capture_options": options})
        payment = payer_pays(emulator.url, order_id).json["razorpay_payment_id"]
        advance(emulator, seconds=3601)
        assert client.payment.fetch(payment)["status"] == "refunded"

    def test_a_capture_is_of_the_whole_amount_and_once(
        self, client: Any, emulator: Sandbox, raw: RazorpayClient
    ) -> None:
        place = f"/v1/payments/{paid(emulator, client)}/capture"
        inr = {"currency": "INR"}
        assert refused(raw.post(place, {"amount": AMOUNT - 1, **inr})) == (
            "Capture amount must be equal to the amount authorized"
        )
        assert raw.post(place, {"amount": AMOUNT, **inr}).status == 200
        assert refused(raw.post(place, {"amount": AMOUNT, **inr})) == (
            "This payment has already been captured"
        )

    def test_what_is_not_authorized_is_not_captured(
        self, client: Any, emulator: Sandbox, raw: RazorpayClient
    ) -> None:
        begun = paid(emulator, client, "tok_pending_60")
        answer = raw.post(f"/v1/payments/{begun}/capture", {"amount": AMOUNT, "currency": "INR"})
        assert refused(answer).startswith("Only payments which have been authorized")

    def test_of_two_payments_one_is_captured(
        self, client: Any, emulator: Sandbox, raw: RazorpayClient
    ) -> None:
        order_id = ordered(client)
        answers = [payer_pays(emulator.url, order_id, "tok_pending_30") for _ in range(2)]
        first, second = (one.json["razorpay_payment_id"] for one in answers)
        advance(emulator, seconds=30)
        client.payment.capture(second, AMOUNT, {"currency": "INR"})
        answer = raw.post(f"/v1/payments/{first}/capture", {"amount": AMOUNT, "currency": "INR"})
        assert "already paid" in refused(answer)
        assert (booked(emulator, first)[1], booked(emulator, second)[1]) == (0, AMOUNT)

    def test_a_capture_whose_answer_is_lost_is_found_done(
        self, client: Any, emulator: Sandbox, raw: RazorpayClient
    ) -> None:
        payment = paid(emulator, client)
        place, body = f"/v1/payments/{payment}/capture", {"amount": AMOUNT, "currency": "INR"}
        answer = raw.post(place, body, script="500")
        assert (answer.status, answer.json["error"]["code"]) == (500, "SERVER_ERROR")
        assert client.payment.fetch(payment)["status"] == "captured"

    def test_what_a_token_says_of_the_gateway_itself_is_met_by_who_captures(
        self, client: Any, emulator: Sandbox
    ) -> None:
        payment = paid(emulator, client, "tok_503_nocharge_once")
        with pytest.raises(razorpay.errors.ServerError):
            client.payment.capture(payment, AMOUNT, {"currency": "INR"})
        assert client.payment.fetch(payment)["status"] == "authorized"
        assert client.payment.capture(payment, AMOUNT, {"currency": "INR"})["status"] == "captured"

    def test_a_share_of_the_charges_that_fails_is_met_by_who_captures(
        self, client: Any, emulator: Sandbox, raw: RazorpayClient
    ) -> None:
        emulator.set_faults(fail_share=1, fail_script="500_nocharge")
        place = f"/v1/payments/{paid(emulator, client)}/capture"
        assert raw.post(place, {"amount": AMOUNT, "currency": "INR"}).status == 500
        emulator.set_faults(fail_share=1, fail_script="soft_try_again")
        assert payer_pays(emulator.url, ordered(client)).status == 400


def plain() -> dict[str, Any]:
    """An order that is captured by hand, and says nothing of how long it waits."""
    return {"amount": AMOUNT, "currency": "INR", "payment_capture": 0, "receipt": uuid.uuid4().hex}


class TestReceipts:
    def test_a_unique_receipt_leads_to_the_same_order(self, client: Any, emulator: Sandbox) -> None:
        given = order(unique_receipt=True)
        first = client.order.create(given)["id"]
        payer_pays(emulator.url, first)
        again = client.order.create(given)
        assert (again["id"], again["status"]) == (first, "attempted")

    def test_any_other_receipt_makes_another_order(self, client: Any) -> None:
        given = order()
        made = [client.order.create(given)["id"] for _ in range(2)]
        found = client.order.all({"receipt": given["receipt"]})
        assert [one["id"] for one in found["items"]] == made[::-1]
        assert client.order.all({"receipt": given["receipt"], "count": 1})["count"] == 1
        assert client.order.all({"receipt": uuid.uuid4().hex})["items"] == []
        assert [one["id"] for one in client.order.all({"count": 2})["items"]] == made[::-1]

    def test_a_unique_receipt_for_another_amount_is_refused(self, raw: RazorpayClient) -> None:
        given = order(unique_receipt=True)
        first = raw.post("/v1/orders", given).json["id"]
        answer = raw.post("/v1/orders", {**given, "amount": AMOUNT + 100})
        assert refused(answer) == "Order receipt should be unique."
        assert answer.json["error"]["metadata"] == {"order_id": first}

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"amount": 99}, "amount"),
            ({"amount": 100.5}, "amount"),
            ({"amount": None}, "amount"),
            ({"currency": "XXX"}, "currency"),
            ({"receipt": "r" * 41}, "receipt"),
            ({"currency": "KWD", "amount": 10_001}, "amount"),
            ({"notes": {str(n): "x" for n in range(16)}}, "notes"),
            ({"payment": {"capture": "later"}}, "payment"),
        ],
    )
    def test_what_is_wrong_with_an_order_is_named(
        self, raw: RazorpayClient, fields: dict[str, Any], field: str
    ) -> None:
        answer = raw.post("/v1/orders", order(**fields))
        refused(answer)
        assert answer.json["error"]["field"] == field

    def test_a_field_that_there_is_not_is_refused(self, raw: RazorpayClient) -> None:
        answer = raw.post("/v1/orders", order(capture_method="x"))
        assert (refused(answer), answer.json["error"]["reason"]) == (
            "capture_method is/are not required and should not be sent",
            "extra_field_sent",
        )


class TestRefunds:
    def test_the_sdk_refunds_a_part_and_the_rest(self, client: Any, emulator: Sandbox, shop: Sink) -> None:
        payment = captured(emulator, client)
        part = client.payment.refund(payment, {"amount": 20_000, "receipt": f"r-{payment}"})
        assert (part["status"], part["receipt"]) == ("processed", f"r-{payment}")
        shown = client.payment.fetch(payment)
        assert (shown["status"], shown["refund_status"]) == ("captured", "partial")
        client.payment.refund(payment, {"amount": 30_000})
        shown = client.payment.fetch(payment)
        assert (shown["status"], shown["amount_refunded"]) == ("refunded", AMOUNT)
        assert booked(emulator, payment) == ("succeeded", AMOUNT, AMOUNT)
        assert client.refund.fetch(part["id"])["amount"] == 20_000
        assert client.payment.fetch_refund_id(payment, part["id"])["id"] == part["id"]
        assert [one["amount"] for one in client.payment.fetch_multiple_refund(payment)["items"]] == [
            30_000,
            20_000,
        ]
        assert eventually(lambda: kinds(shop, part["id"]) == ["refund.created", "refund.processed"])

    def test_no_more_is_given_back_than_was_captured(
        self, client: Any, emulator: Sandbox, raw: RazorpayClient
    ) -> None:
        held, payment = paid(emulator, client), captured(emulator, client)
        assert refused(raw.post(f"/v1/payments/{held}/refund")) == (
            "The payment status should be captured for action to be taken"
        )
        place = f"/v1/payments/{payment}/refund"
        assert refused(raw.post(place, {"amount": AMOUNT + 100})) == (
            "The refund amount provided is greater than amount captured"
        )
        assert raw.post(place).json["amount"] == AMOUNT
        assert refused(raw.post(place)) == "The payment has been fully refunded already"

    def test_a_key_gives_the_first_answer_again(
        self, client: Any, emulator: Sandbox, raw: RazorpayClient
    ) -> None:
        place, key = f"/v1/payments/{captured(emulator, client)}/refund", uuid.uuid4().hex
        first = raw.post(place, {"amount": 10_000}, key)
        assert raw.post(place, {"amount": 10_000}, key).json == first.json
        assert refused(raw.post(place, {"amount": 20_000}, key), 409).startswith("Different request")
        assert refused(raw.post(place, {"amount": 10_000}, "too-short")).startswith("The idempotency key")
        assert refused(raw.post(place, {"amount": 10_000}, "not*for*keys")).startswith("The idempotency key")
        assert raw.get(place.removesuffix("refund") + "refunds").json["count"] == 1

    def test_while_the_first_is_under_way_its_repeat_conflicts(
        self, client: Any, emulator: Sandbox, raw: RazorpayClient
    ) -> None:
        place, key = f"/v1/payments/{captured(emulator, client)}/refund", uuid.uuid4().hex
        assert "still in progress" in refused(raw.post(place, key=key, script="busy"), 409)
        assert raw.post(place, key=key).status == 200

    @pytest.mark.parametrize(
        ("token", "events", "refunded"),
        [
            ("tok_pending_60_on_refund", ["created", "processed"], AMOUNT),
            ("tok_pending_fail_60_on_refund", ["created", "failed"], 0),
            ("tok_fails_late_60", ["created", "processed", "failed"], 0),
        ],
    )
    def test_a_refund_is_decided_or_fails_later(
        self, client: Any, emulator: Sandbox, shop: Sink, token: str, events: list[str], refunded: int
    ) -> None:
        payment = captured(emulator, client, token)
        made = client.payment.refund(payment, {"amount": AMOUNT})
        assert made["status"] == ("processed" if "late" in token else "pending")
        advance(emulator, seconds=60)
        assert client.refund.fetch(made["id"])["status"] == events[-1]
        assert booked(emulator, payment) == ("succeeded", AMOUNT, refunded)
        assert eventually(lambda: kinds(shop, made["id"]) == [f"refund.{one}" for one in events])

    def test_a_merchant_without_money_refunds_nothing(
        self, client: Any, emulator: Sandbox, raw: RazorpayClient
    ) -> None:
        payment = captured(emulator, client)
        answer = raw.post(f"/v1/payments/{payment}/refund", script="hard_not_permitted")
        assert "enough balance" in refused(answer)
        assert booked(emulator, payment) == ("succeeded", AMOUNT, 0)


class TestDisputes:
    def test_one_is_opened_shown_and_lost(self, client: Any, emulator: Sandbox, shop: Sink) -> None:
        payment = captured(emulator, client, "tok_dispute")
        (dispute,) = next(one for one in emulator.ledger() if one["payment_id"] == payment)["disputes"]
        shown = client.dispute.fetch(dispute["id"])
        assert (shown["status"], shown["phase"], shown["payment_id"]) == ("open", "chargeback", payment)
        order_id = client.payment.fetch(payment)["order_id"]
        assert emulator.post("/_sandbox/disputes", {"payment_id": order_id, "amount": 1}).status == 200
        for status in ("under_review", "needs_response", "lost"):
            emulator.post("/_sandbox/disputes", {"id": dispute["id"], "status": status})
        after = client.dispute.fetch(dispute["id"])
        assert (after["status"], after["amount_deducted"]) == ("lost", AMOUNT)
        expected = [
            f"payment.dispute.{one}" for one in ("created", "under_review", "action_required", "lost")
        ]
        assert eventually(lambda: kinds(shop, dispute["id"]) == expected)
        assert told(shop, dispute["id"])[0]["contains"] == ["payment", "dispute"]


class TestWebhooks:
    def test_the_sdk_takes_their_signature_and_a_changed_body_it_does_not(
        self, client: Any, emulator: Sandbox, shop: Sink
    ) -> None:
        payment = paid(emulator, client)
        assert eventually(lambda: bool(told(shop, payment)))
        ids = [one.headers["x-razorpay-event-id"] for one in shop.at("/razorpay")]
        assert len(set(ids)) == len(ids)
        for one in shop.at("/razorpay"):
            body, signature = one.body.decode(), one.headers["x-razorpay-signature"]
            assert client.utility.verify_webhook_signature(body, signature, RAZORPAY_WEBHOOK)
            assert (one.json["entity"], one.json["account_id"]) == ("event", RAZORPAY_ACCOUNT)
            assert "id" not in one.json
        with pytest.raises(razorpay.errors.SignatureVerificationError):
            client.utility.verify_webhook_signature(body + " ", signature, RAZORPAY_WEBHOOK)

    def test_an_event_that_comes_again_has_the_same_id_in_its_header(
        self, client: Any, emulator: Sandbox, shop: Sink
    ) -> None:
        payment = paid(emulator, client, "tok_webhook_repeated")

        def came() -> list[str]:
            found = [one for one in shop.at("/razorpay") if payment.encode() in one.body]
            return [one.headers["x-razorpay-event-id"] for one in found]

        assert eventually(lambda: len(came()) == 3)
        assert len(set(came())) == 1


class TestErrors:
    def test_another_key_is_refused(self, emulator: Sandbox) -> None:
        with pytest.raises(razorpay.errors.BadRequestError, match="Authentication failed"):
            sdk(emulator.url, "wrong").order.fetch("order_00000000000000")
        assert emulator.call("GET", "/v1/orders/order_00000000000000").status == 401

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("/v1/payments/pay_00000000000000", "The id provided does not exist"),
            ("/v1/orders/order_00000000000000/payments", "The id provided does not exist"),
            ("/v1/refunds/rfnd_00000000000000", "The id provided does not exist"),
            ("/v1/payments/pay_1", "pay_1 is not a valid id"),
            ("/v1/nothing", "The requested URL was not found on the server."),
        ],
    )
    def test_what_there_is_not_is_a_bad_request(self, raw: RazorpayClient, path: str, said: str) -> None:
        assert refused(raw.get(path)) == said

    def test_too_many_calls_are_turned_away(self, emulator: Sandbox, raw: RazorpayClient) -> None:
        emulator.set_faults(retry_after_s=2)
        answer = raw.post("/v1/orders", order())
        assert refused(answer, 429) == "Request failed. Please try after sometime."
        assert answer.headers["retry-after"] == "2"


class TestFixtures:
    """What Razorpay's own SDK is tested with names the same fields, of the same types."""

    def test_of_orders(self, client: Any) -> None:
        given = order()
        made = client.order.create(given)
        assert misfits(fixture("fake_order.json"), made) == []
        listed = client.order.all({"receipt": given["receipt"]})
        assert misfits(fixture("order_collection.json"), listed) == []

    def test_of_payments(self, client: Any, emulator: Sandbox) -> None:
        payment = paid(emulator, client)
        assert misfits(fixture("fake_payment.json"), client.payment.fetch(payment)) == []
        listed = client.order.payments(client.payment.fetch(payment)["order_id"])
        assert misfits(fixture("payment_collection.json"), listed) == []
        done = client.payment.capture(payment, AMOUNT, {"currency": "INR"})
        assert misfits(fixture("fake_captured_payment.json"), done) == []
        refund = client.payment.refund(payment, {"amount": 300, "speed": "optimum"})
        assert misfits(fixture("fake_refund.json"), refund) == []
        listed = client.payment.fetch_multiple_refund(payment)
        assert misfits(fixture("refund_collection.json"), listed) == []

    def test_of_errors_and_events(
        self, client: Any, emulator: Sandbox, raw: RazorpayClient, shop: Sink
    ) -> None:
        answer = raw.post("/v1/orders", order(amount="x"))
        assert misfits(fixture("bad_request_error.json"), answer.json) == []
        payment = paid(emulator, client)
        assert eventually(lambda: bool(told(shop, payment)))
        assert misfits(fixture("fake_payment_authorized_webhook.json"), told(shop, payment)[0]) == []


def fixture(name: str) -> Any:
    return gateway_spec(f"razorpay/{name}")


def misfits(wanted: Any, shown: Any, place: str = "") -> list[str]:
    """Where what is shown has not what the fixture has; an empty value may be of any type."""
    if isinstance(wanted, dict) and isinstance(shown, dict):
        return [
            found
            for name, value in wanted.items()
            if name not in NOT_HELD
            for found in (
                misfits(value, shown[name], f"{place}/{name}")
                if name in shown
                else [f"{place}/{name}: absent"]
            )
        ]
    if isinstance(wanted, list) and isinstance(shown, list) and wanted and shown:
        return misfits(wanted[0], shown[0], f"{place}/0")
    if not wanted or not shown or type(wanted) is type(shown):
        return []
    return [f"{place}: {type(shown).__name__}"]
