"""The emulator's Stripe: the official SDK drives it, and what it shows is held against Stripe's own objects."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe
from support.gateway_specs import gateway_spec
from support.merchant_server import Sink
from support.payers import payer_clicks, request_to
from support.sandbox_process import NO_ANSWER, Sandbox, eventually
from support.stripe_process import STRIPE_KEY, post_form, running_stripe, sdk
from support.telling import Telling, telling

SECRET = "whsec_emulator"
CARD = {"allowed_payment_method_types": ["card"], "payment_method": "pm_card_visa"}
BODY = "amount=1999&currency=usd&allowed_payment_method_types[]=card&payment_method=pm_card_visa"


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    with telling(running_stripe, tmp_path_factory.mktemp("stripe"), "stripe", SECRET) as running:
        yield running


@pytest.fixture
def client(emulator: Sandbox) -> stripe.StripeClient:
    return sdk(emulator.url)


def intent(client: stripe.StripeClient, **fields: Any) -> stripe.PaymentIntent:
    given: Any = {"amount": 1999, "currency": "usd", **CARD, **fields}
    return client.v1.payment_intents.create(given)


def refused(client: stripe.StripeClient, **fields: Any) -> stripe.StripeError:
    with pytest.raises(stripe.StripeError) as error:
        intent(client, **fields)
    return error.value


class TestOneIntentsWay:
    def test_the_sdk_creates_confirms_captures_and_refunds(self, client: stripe.StripeClient) -> None:
        intents, refunds = client.v1.payment_intents, client.v1.refunds
        made = intent(client, capture_method="manual")
        assert (made.status, made.latest_charge) == ("requires_confirmation", None)
        held = intents.confirm(made.id)
        assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 1999, 0)
        captured = intents.capture(made.id, {"amount_to_capture": 1500})
        assert (captured.status, captured.amount_received) == ("succeeded", 1500)
        refund = refunds.create({"payment_intent": made.id, "amount": 400, "metadata": {"reference": "r-1"}})
        assert (refund.status, refund.amount, refund.payment_intent) == ("succeeded", 400, made.id)
        metadata = refunds.retrieve(refund.id).metadata
        assert metadata
        assert metadata["reference"] == "r-1"
        assert [one.id for one in refunds.list({"payment_intent": made.id})] == [refund.id]
        charge = intents.retrieve(made.id, {"expand": ["latest_charge"]}).latest_charge
        assert isinstance(charge, stripe.Charge)
        assert (charge.amount_captured, charge.amount_refunded) == (1500, 400)

    def test_the_key_may_come_as_a_user_without_a_password(self, emulator: Sandbox) -> None:
        as_user = base64.b64encode(f"{STRIPE_KEY}:".encode()).decode()
        headers = {"Authorization": f"Basic {as_user}"}
        answer = request_to(urlsplit(emulator.url).netloc, "GET", "/v1/payment_intents/pi_1", b"", headers)
        assert (answer.status, answer.json["error"]["code"]) == (404, "resource_missing")

    def test_a_hold_can_be_cancelled_and_then_not_be_captured(self, client: stripe.StripeClient) -> None:
        held = intent(client, capture_method="manual", confirm=True)
        assert client.v1.payment_intents.cancel(held.id).status == "canceled"
        with pytest.raises(stripe.InvalidRequestError) as error:
            client.v1.payment_intents.capture(held.id)
        assert error.value.code == "payment_intent_unexpected_state"

    def test_more_than_is_left_is_not_refunded(self, client: stripe.StripeClient) -> None:
        paid = intent(client, confirm=True)
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create({"payment_intent": paid.id, "amount": 2000})
        client.v1.refunds.create({"payment_intent": paid.id})
        with pytest.raises(stripe.InvalidRequestError) as error:
            client.v1.refunds.create({"payment_intent": paid.id})
        assert error.value.code == "charge_already_refunded"

    @pytest.mark.slow
    def test_a_refund_may_end_later_and_may_fail(self, client: stripe.StripeClient) -> None:
        ends = {
            "pm_card_pendingRefund": ("pending", "succeeded"),
            "pm_card_refundFail": ("succeeded", "failed"),
        }
        for card, (at_first, in_the_end) in ends.items():
            paid = intent(client, confirm=True, payment_method=card)
            refund = client.v1.refunds.create({"payment_intent": paid.id})
            assert refund.status == at_first
            assert eventually(lambda: client.v1.refunds.retrieve(refund.id).status == in_the_end)  # noqa: B023

    def test_a_saved_card_is_charged_with_its_customer_only(self, client: stripe.StripeClient) -> None:
        customer = client.v1.customers.create({"email": "asha@example.com"}).id
        saved = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
        assert saved.customer == customer
        assert refused(client, payment_method=saved.id).http_status == 400
        paid = intent(client, payment_method=saved.id, customer=customer, off_session=True, confirm=True)
        assert (paid.status, paid.payment_method) == ("succeeded", saved.id)

    def test_an_account_sees_its_own_intents_only(self, client: stripe.StripeClient) -> None:
        theirs: Any = {"stripe_account": "acct_1"}
        made = client.v1.payment_intents.create({"amount": 100, "currency": "usd"}, theirs)
        assert client.v1.payment_intents.retrieve(made.id, options=theirs).id == made.id
        with pytest.raises(stripe.InvalidRequestError) as error:
            client.v1.payment_intents.retrieve(made.id)
        assert (error.value.http_status, error.value.code) == (404, "resource_missing")


class TestDeclines:
    @pytest.mark.parametrize(
        ("card", "code", "decline_code", "advice_code"),
        [
            ("pm_card_chargeDeclined", "card_declined", "generic_decline", None),
            ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card", "do_not_try_again"),
            (
                "pm_card_chargeDeclinedInsufficientFunds",
                "card_declined",
                "insufficient_funds",
                "try_again_later",
            ),
            ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card", None),
            ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc", "confirm_card_data"),
            ("pm_soft_issuer_unavailable", "card_declined", "issuer_not_available", "try_again_later"),
        ],
    )
    def test_a_card_is_declined_in_stripes_words(
        self, client: stripe.StripeClient, card: str, code: str, decline_code: str, advice_code: str | None
    ) -> None:
        error = refused(client, payment_method=card, confirm=True)
        assert isinstance(error, stripe.CardError)
        said: Any = error.json_body
        said = said["error"]
        assert (said["code"], said["decline_code"], said.get("advice_code")) == (
            code,
            decline_code,
            advice_code,
        )
        assert said["payment_intent"]["status"] == "requires_payment_method"

    def test_a_declined_intent_takes_another_card(self, client: stripe.StripeClient) -> None:
        made = intent(client, payment_method="pm_card_chargeDeclined")
        with pytest.raises(stripe.CardError):
            client.v1.payment_intents.confirm(made.id)
        assert (
            client.v1.payment_intents.confirm(made.id, {"payment_method": "pm_card_visa"}).status
            == "succeeded"
        )

    def test_an_unknown_payment_method_is_no_decline(self, client: stripe.StripeClient) -> None:
        error = refused(client, payment_method="pm_none")
        assert (error.http_status, error.code) == (400, "resource_missing")

    def test_a_wrong_key_and_an_unknown_field_are_refused(
        self, emulator: Sandbox, client: stripe.StripeClient
    ) -> None:
        with pytest.raises(stripe.AuthenticationError):
            intent(sdk(emulator.url, "sk_test_wrong"))
        assert refused(client, colour="red").code == "parameter_unknown"

    def test_what_its_version_has_removed_is_refused(self, client: stripe.StripeClient) -> None:
        error = refused(client, payment_method_types=["card"])
        assert error.code == "payment_method_types_no_longer_supported"


class TestThreeDSecure:
    @pytest.mark.parametrize(
        ("button", "status"), [("pass", "succeeded"), ("fail", "requires_payment_method")]
    )
    def test_a_payer_is_sent_to_a_page_clicks_and_comes_back(
        self, client: stripe.StripeClient, button: str, status: str
    ) -> None:
        made = intent(
            client,
            payment_method="pm_card_authenticationRequired",
            confirm=True,
            return_url="https://shop.test/back?order=7",
        )
        assert made.status == "requires_action"
        assert made.next_action
        assert made.next_action.redirect_to_url
        back = payer_clicks(str(made.next_action.redirect_to_url.url), button)
        assert back.status == 302
        assert back.headers["location"].startswith(
            f"https://shop.test/back?order=7&payment_intent={made.id}&"
        )
        now = client.v1.payment_intents.retrieve(made.id)
        assert now.status == status
        if button == "fail":
            assert now.last_payment_error
            assert now.last_payment_error.code == "payment_intent_authentication_failure"

    def test_without_a_return_url_the_action_is_for_the_browsers_sdk(
        self, client: stripe.StripeClient
    ) -> None:
        made = intent(client, payment_method="pm_card_threeDSecure2Required", confirm=True)
        assert made.next_action
        assert made.next_action.type == "use_stripe_sdk"
        assert made.client_secret
        assert made.client_secret.startswith(f"{made.id}_secret_")

    def test_an_absent_payer_can_not_authenticate(self, client: stripe.StripeClient) -> None:
        error = refused(
            client, payment_method="pm_card_authenticationRequired", off_session=True, confirm=True
        )
        assert error.code == "authentication_required"

    def test_a_card_may_be_declined_after_it(self, client: stripe.StripeClient) -> None:
        made = intent(client, payment_method="pm_card_threeDSecureRequiredChargeDeclined", confirm=True)
        assert made.next_action
        assert made.next_action.use_stripe_sdk
        payer_clicks(made.next_action.use_stripe_sdk["stripe_js"], "pass")
        error = client.v1.payment_intents.retrieve(made.id).last_payment_error
        assert error
        assert error.decline_code == "generic_decline"


class TestKeys:
    def test_a_repeat_gets_the_same_answer(self, client: stripe.StripeClient) -> None:
        key: Any = {"idempotency_key": uuid.uuid4().hex}
        body: Any = {"amount": 1999, "currency": "usd", **CARD, "confirm": True}
        first = client.v1.payment_intents.create(body, key)
        again = client.v1.payment_intents.create(body, key)
        assert again.id == first.id
        assert again.last_response
        assert again.last_response.headers["Idempotent-Replayed"] == "true"

    def test_a_stored_500_is_repeated_and_the_charge_stands(self, emulator: Sandbox) -> None:
        key = uuid.uuid4().hex
        body = BODY.replace("pm_card_visa", "pm_500") + f"&confirm=true&metadata[reference]={key}"
        for _ in range(2):
            assert post_form(emulator, "/v1/payment_intents", body, idempotency_key=key).status == 500
        assert [row["status"] for row in emulator.booked(key)] == ["succeeded"]

    def test_another_body_under_the_key_is_refused(self, emulator: Sandbox) -> None:
        key = uuid.uuid4().hex
        assert post_form(emulator, "/v1/payment_intents", BODY, idempotency_key=key).status == 200
        answer = post_form(emulator, "/v1/payment_intents", BODY + "&description=x", idempotency_key=key)
        assert (answer.status, answer.json["error"]["type"]) == (400, "idempotency_error")

    def test_a_mistake_in_the_call_is_not_kept_under_its_key(self, emulator: Sandbox) -> None:
        key = uuid.uuid4().hex
        assert post_form(emulator, "/v1/payment_intents", "currency=usd", idempotency_key=key).status == 400
        assert post_form(emulator, "/v1/payment_intents", BODY, idempotency_key=key).status == 200

    def test_a_decline_is_kept(self, emulator: Sandbox) -> None:
        key = uuid.uuid4().hex
        body = BODY.replace("pm_card_visa", "pm_card_chargeDeclined") + "&confirm=true"
        answers = [post_form(emulator, "/v1/payment_intents", body, idempotency_key=key) for _ in range(2)]
        assert answers[0].status == answers[1].status == 402
        assert answers[0].body == answers[1].body


class TestFaults:
    def test_an_answer_may_be_lost_after_the_charge(self, emulator: Sandbox) -> None:
        key = uuid.uuid4().hex
        body = BODY.replace("pm_card_visa", "pm_drop") + f"&confirm=true&metadata[reference]={key}"
        with pytest.raises(NO_ANSWER):
            post_form(emulator, "/v1/payment_intents", body)
        assert [row["captured"] for row in emulator.booked(key)] == [1999]

    def test_too_many_calls_are_told_when_to_come_again(self, emulator: Sandbox) -> None:
        emulator.set_faults(retry_after_s=7)
        answer = post_form(emulator, "/v1/payment_intents", BODY)
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
        assert answer.json["error"]["code"] == "rate_limit"

    def test_it_may_answer_what_is_no_json(self, emulator: Sandbox) -> None:
        answer = post_form(
            emulator, "/v1/payment_intents", BODY.replace("pm_card_visa", "pm_garbage") + "&confirm=true"
        )
        assert (answer.status, answer.body[:6]) == (200, b"<html>")


class TestEvents:
    def test_an_event_is_signed_as_the_sdk_checks_it(self, client: stripe.StripeClient, shop: Sink) -> None:
        paid = intent(client, confirm=True, capture_method="manual")
        client.v1.payment_intents.capture(paid.id)
        refund = client.v1.refunds.create({"payment_intent": paid.id})

        def events() -> list[stripe.Event]:
            verified = [
                stripe.Webhook.construct_event(
                    got.body, got.headers["stripe-signature"], SECRET, api_key=STRIPE_KEY
                )
                for got in list(shop.received)
            ]
            ours = {paid.id, refund.id}
            return [
                one
                for one in verified
                if ours & {getattr(one.data.object, name, None) for name in ("id", "payment_intent")}
            ]

        assert eventually(lambda: len(events()) >= 5)
        assert [event.type for event in events()] == [
            "payment_intent.created",
            "payment_intent.amount_capturable_updated",
            "payment_intent.succeeded",
            "refund.created",
            "charge.refunded",
        ]
        assert len({event.id for event in events()}) == 5


class TestDisputes:
    @pytest.mark.parametrize(
        ("card", "status", "reason"),
        [
            ("createDispute", "needs_response", "fraudulent"),
            ("createDisputeProductNotReceived", "needs_response", "product_not_received"),
            ("createDisputeInquiry", "warning_needs_response", "fraudulent"),
        ],
    )
    def test_a_test_card_is_disputed_once_it_is_charged(
        self, client: stripe.StripeClient, card: str, status: str, reason: str
    ) -> None:
        dispute = dispute_of(client, intent(client, confirm=True, payment_method=f"pm_card_{card}"))
        assert (dispute.status, dispute.reason, dispute.amount) == (status, reason, 1999)

    @pytest.mark.parametrize(("evidence", "ends"), [("winning_evidence", "won"), ("losing_evidence", "lost")])
    def test_the_evidence_decides(
        self, client: stripe.StripeClient, shop: Sink, evidence: str, ends: str
    ) -> None:
        dispute = dispute_of(client, intent(client, confirm=True, payment_method="pm_card_createDispute"))
        given = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": evidence}})
        assert given.status == "under_review"
        assert eventually(lambda: client.v1.disputes.retrieve(dispute.id).status == ends)
        reinstated = ["charge.dispute.funds_reinstated"] if ends == "won" else []
        expected = [
            "charge.dispute.created",
            "charge.dispute.funds_withdrawn",
            "charge.dispute.updated",
            "charge.dispute.closed",
            *reinstated,
        ]

        def told() -> list[str]:
            events = [got.json for got in list(shop.received)]
            return [event["type"] for event in events if event["data"]["object"]["id"] == dispute.id]

        assert eventually(lambda: told() == expected), told()

    def test_one_that_is_given_up_is_lost_and_takes_nothing_more(self, client: stripe.StripeClient) -> None:
        dispute = dispute_of(client, intent(client, confirm=True, payment_method="pm_card_createDispute"))
        assert client.v1.disputes.close(dispute.id).status == "lost"
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.disputes.close(dispute.id)

    def test_what_is_charged_back_is_not_refunded(self, client: stripe.StripeClient) -> None:
        paid = intent(client, confirm=True, payment_method="pm_card_createDispute")
        assert not dispute_of(client, paid).is_charge_refundable
        with pytest.raises(stripe.InvalidRequestError, match="charged back"):
            client.v1.refunds.create({"payment_intent": paid.id})

    def test_an_inquiry_may_be_refunded(self, client: stripe.StripeClient) -> None:
        paid = intent(client, confirm=True, payment_method="pm_card_createDisputeInquiry")
        assert dispute_of(client, paid).is_charge_refundable
        assert client.v1.refunds.create({"payment_intent": paid.id}).status == "succeeded"


@pytest.mark.parametrize("kind", ["payment_intent", "charge", "refund", "dispute", "payment_method", "event"])
def test_what_it_shows_are_fields_of_stripes_own_objects(
    client: stripe.StripeClient, shop: Sink, kind: str
) -> None:
    official = gateway_spec("stripe/fixtures3.json")["resources"][kind]
    paid = intent(client, confirm=True)
    objects: dict[str, Callable[[], Any]] = {
        "payment_intent": lambda: paid,
        "charge": lambda: retrieved(client, paid.id, expand=["latest_charge"]).latest_charge,
        "refund": lambda: client.v1.refunds.create({"payment_intent": paid.id}),
        "dispute": lambda: dispute_of(
            client, intent(client, confirm=True, payment_method="pm_card_createDispute")
        ),
        "payment_method": lambda: client.v1.payment_methods.retrieve("pm_card_visa"),
        "event": lambda: _first_event(shop),
    }
    body = objects[kind]().to_dict()
    assert body.keys() <= official.keys()
    for name, value in body.items():
        if value is not None and official[name] is not None:
            assert type(value) is type(official[name]), name


def dispute_of(client: stripe.StripeClient, paid: stripe.PaymentIntent) -> stripe.Dispute:
    (dispute,) = client.v1.disputes.list({"payment_intent": paid.id}).data
    return client.v1.disputes.retrieve(dispute.id)


def retrieved(client: stripe.StripeClient, intent_id: str, **params: Any) -> stripe.PaymentIntent:
    given: Any = params
    return client.v1.payment_intents.retrieve(intent_id, given)


def _first_event(shop: Sink) -> stripe.Event:
    shop.wait_for(1)
    return stripe.Event.construct_from(shop.received[0].json, STRIPE_KEY)
