"""The emulator's Braintree: the official SDK drives it, and reads what it answers and tells."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from braintree import TransactionSearch
from braintree.error_codes import ErrorCodes
from braintree.exceptions.authentication_error import AuthenticationError
from braintree.exceptions.authorization_error import AuthorizationError
from braintree.exceptions.invalid_signature_error import InvalidSignatureError
from braintree.exceptions.not_found_error import NotFoundError
from support.braintree_process import BRAINTREE_PRIVATE, running_braintree, sdk, simulated
from support.merchant_server import Sink, a_sink
from support.sandbox_process import Sandbox, eventually

TRANSACTION = ErrorCodes.Transaction
VISA = {"number": "4111111111111111", "expiration_date": "12/2035", "cvv": "123"}


@pytest.fixture(scope="module")
def shop() -> Iterator[Sink]:
    """Where the emulator's notifications arrive."""
    with a_sink() as running:
        yield running


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory, shop: Sink) -> Iterator[Sandbox]:
    flags = ("--webhook-url", shop.url("/braintree"), "--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET")
    folder, secret = tmp_path_factory.mktemp("braintree"), {"SANDBOX_WEBHOOK_SECRET": BRAINTREE_PRIVATE}
    with running_braintree(folder, *flags, "--keep", "100", env=secret) as running:
        yield running


@pytest.fixture(scope="module")
def braintree(emulator: Sandbox) -> Any:
    return sdk(emulator.url)


def order(**fields: Any) -> dict[str, Any]:
    """A sale of an order of its own, only held unless `submits`."""
    submits = fields.pop("submits", False)
    pays = (
        {}
        if {"payment_method_nonce", "credit_card", "customer_id"} & set(fields)
        else {"payment_method_token": "tok_ok"}
    )
    return {
        "amount": "19.99",
        "order_id": f"pay_{uuid.uuid4().hex}-a1",
        "options": {"submit_for_settlement": submits},
        **pays,
        **fields,
    }


def sold(braintree: Any, **fields: Any) -> Any:
    """The transaction of a sale that was approved."""
    result = braintree.transaction.sale(order(**fields))
    assert result.is_success, result.message
    return result.transaction


def settled(braintree: Any, **fields: Any) -> Any:
    """One that was submitted and is settled."""
    return simulated(braintree).settle_transaction(sold(braintree, submits=True, **fields).id).transaction


def refused(result: Any) -> list[str]:
    """The codes of what was not valid."""
    assert not result.is_success
    return [error.code for error in result.errors.deep_errors]


def booked(emulator: Sandbox, transaction: Any) -> dict[str, Any]:
    """The ledger's row of a sale, with all that is due carried out."""
    (row,) = [row for row in emulator.ledger() if row["payment_id"] == transaction.id]
    return row


def advance(emulator: Sandbox, seconds: float) -> None:
    """So much later it is for the emulator."""
    assert emulator.post("/_sandbox/clock", {"advance_s": seconds}).status == 200


def test_a_sale_settles_by_itself_and_is_refunded_then(braintree: Any, emulator: Sandbox) -> None:
    paid = sold(braintree, submits=True, payment_method_nonce="fake-valid-nonce")
    assert [event.status for event in paid.status_history] == ["authorized", "submitted_for_settlement"]
    assert refused(braintree.transaction.refund(paid.id)) == [TRANSACTION.CannotRefundUnlessSettled]
    advance(emulator, 3)
    assert braintree.transaction.find(paid.id).status == "settled"
    assert refused(braintree.transaction.void(paid.id)) == [TRANSACTION.CannotBeVoided]
    part = braintree.transaction.refund(paid.id, {"amount": "5.00", "order_id": "pay_1-b1"}).transaction
    assert (part.type, part.status, part.refunded_transaction_id) == (
        "credit",
        "submitted_for_settlement",
        paid.id,
    )
    assert refused(braintree.transaction.refund(paid.id, "15.00")) == [TRANSACTION.RefundAmountIsTooLarge]
    rest = braintree.transaction.refund(paid.id).transaction
    assert refused(braintree.transaction.refund(paid.id)) == [TRANSACTION.HasAlreadyBeenRefunded]
    assert refused(braintree.transaction.refund(rest.id)) == [TRANSACTION.CannotRefundCredit]
    assert braintree.transaction.find(paid.id).refund_ids == [part.id, rest.id]
    assert booked(emulator, paid)["refunds"] == [500, 1499]


def test_what_is_submitted_is_given_back_by_a_void(braintree: Any, emulator: Sandbox) -> None:
    paid = sold(braintree, submits=True, payment_method_token="tok_settles_600")
    advance(emulator, 300)
    assert braintree.transaction.void(paid.id).transaction.status == "voided"
    row = booked(emulator, paid)
    assert (row["captured"], row["refunded"], row["refunds"]) == (1999, 1999, [1999])


def test_a_hold_is_collected_for_less_and_the_rest_is_released(braintree: Any, emulator: Sandbox) -> None:
    held = sold(braintree)
    assert refused(braintree.transaction.submit_for_settlement(held.id, "20.00")) == [
        TRANSACTION.SettlementAmountIsTooLarge
    ]
    taken = braintree.transaction.submit_for_settlement(held.id, "7.50", {"order_id": "pay_2-c1"}).transaction
    assert (taken.status, str(taken.amount), taken.order_id) == (
        "submitted_for_settlement",
        "7.50",
        "pay_2-c1",
    )
    assert refused(braintree.transaction.submit_for_settlement(held.id)) == [
        TRANSACTION.CannotSubmitForSettlement
    ]
    row = booked(emulator, held)
    assert (row["status"], row["captured"], row["captures"]) == ("succeeded", 750, [750])


def test_parts_of_a_hold_are_transactions_of_their_own(braintree: Any, emulator: Sandbox) -> None:
    held, partially = sold(braintree), braintree.transaction.submit_for_partial_settlement
    parts = [partially(held.id, amount).transaction for amount in ("4.00", "6.00")]
    whole = braintree.transaction.find(held.id)
    assert (whole.status, whole.partial_settlement_transaction_ids) == (
        "settlement_pending",
        [one.id for one in parts],
    )
    assert refused(partially(parts[0].id, "1.00")) == [TRANSACTION.CannotSubmitForPartialSettlement]
    assert refused(partially(held.id, "10.00")) == [TRANSACTION.SettlementAmountIsTooLarge]
    settled_part = simulated(braintree).settle_transaction(parts[1].id).transaction
    assert settled_part.authorized_transaction_id == held.id
    assert braintree.transaction.refund(settled_part.id, "1.00").is_success
    assert braintree.transaction.void(held.id).transaction.status == "voided"
    row = booked(emulator, held)
    assert (row["status"], row["captures"], row["refunds"]) == ("succeeded", [400, 600], [100])


def test_a_hold_is_voided_or_expires(braintree: Any, emulator: Sandbox) -> None:
    voided, left = sold(braintree), sold(braintree)
    assert braintree.transaction.void(voided.id).transaction.status == "voided"
    assert refused(braintree.transaction.void(voided.id)) == [TRANSACTION.CannotBeVoided]
    assert left.authorization_expires_at is not None
    advance(emulator, 8 * 86_400)
    assert braintree.transaction.find(left.id).status == "authorization_expired"
    assert refused(braintree.transaction.submit_for_settlement(left.id)) == [
        TRANSACTION.CannotSubmitForSettlement
    ]
    assert booked(emulator, left)["status"] == "voided"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"amount": ""}, TRANSACTION.AmountIsRequired),
        ({"amount": "ten"}, TRANSACTION.AmountFormatIsInvalid),
        ({"amount": "-1.00"}, TRANSACTION.AmountCannotBeNegative),
        ({"amount": "0.00"}, TRANSACTION.AmountMustBeGreaterThanZero),
        ({"amount": "9999999999.00"}, TRANSACTION.AmountIsTooLarge),
        ({"amount": "10.50", "merchant_account_id": "emulated_jpy"}, TRANSACTION.AmountFormatIsInvalid),
        ({"merchant_account_id": "nobody"}, TRANSACTION.MerchantAccountIdIsInvalid),
        ({"order_id": "x" * 256}, TRANSACTION.OrderIdIsTooLong),
        ({"custom_fields": {"colour": "red"}}, TRANSACTION.CustomFieldIsInvalid),
        ({"transaction_source": "a whim"}, TRANSACTION.TransactionSourceIsInvalid),
        (
            {"external_vault": {"status": "vaulted"}},
            TRANSACTION.PaymentInstrumentWithExternalVaultIsInvalid,
        ),
        (
            {"credit_card": VISA, "external_vault": {"status": "lost"}},
            TRANSACTION.ExternalVault.StatusIsInvalid,
        ),
        (
            {
                "credit_card": VISA,
                "external_vault": {"status": "vaulted", "previous_network_transaction_id": "123456789012345"},
            },
            TRANSACTION.ExternalVault.PreviousNetworkTransactionIdIsInvalid,
        ),
        ({"payment_method_token": "nothing"}, TRANSACTION.PaymentMethodTokenIsInvalid),
        ({"payment_method_token": "tok_hard_no_such"}, TRANSACTION.PaymentMethodTokenIsInvalid),
        ({"payment_method_nonce": "nothing"}, TRANSACTION.PaymentMethodNonceUnknown),
        ({"payment_method_nonce": "fake-consumed-nonce"}, TRANSACTION.PaymentMethodNonceConsumed),
        ({"payment_method_nonce": "fake-luhn-invalid-nonce"}, ErrorCodes.CreditCard.NumberIsInvalid),
        ({"credit_card": {**VISA, "number": "4111111111111112"}}, ErrorCodes.CreditCard.NumberIsInvalid),
        (
            {"credit_card": {**VISA, "number": "4242424242424242"}},
            ErrorCodes.CreditCard.NumberMustBeTestNumber,
        ),
        (
            {"credit_card": {**VISA, "expiration_date": "13/2035"}},
            ErrorCodes.CreditCard.ExpirationDateIsInvalid,
        ),
        ({"credit_card": {**VISA, "cvv": "12"}}, ErrorCodes.CreditCard.CvvIsInvalid),
        ({"credit_card": {}}, TRANSACTION.CreditCardIsRequired),
    ],
)
def test_a_sale_that_is_not_valid_is_refused_with_braintrees_code(
    braintree: Any, fields: dict[str, Any], code: str
) -> None:
    result = braintree.transaction.sale(order(**fields))
    assert (refused(result), result.transaction) == ([code], None)


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"amount": "2001.00"}, "processor_declined", "2001"),
        ({"amount": "2999.99"}, "processor_declined", "2999"),
        ({"amount": "2046", "merchant_account_id": "emulated_jpy"}, "processor_declined", "2046"),
        ({"amount": "3000.00"}, "failed", "3000"),
        ({"amount": "5001.00"}, "gateway_rejected", "application_incomplete"),
        ({"payment_method_token": "tok_hard_expired_card"}, "processor_declined", "2004"),
        ({"payment_method_token": "tok_3ds_required"}, "processor_declined", "2099"),
        ({"payment_method_token": "tok_3ds_fail_1"}, "gateway_rejected", "three_d_secure"),
        ({"payment_method_token": "tok_rejected_fraud"}, "gateway_rejected", "fraud"),
        ({"payment_method_nonce": "fake-gateway-rejected-fraud-nonce"}, "gateway_rejected", "fraud"),
        ({"credit_card": {**VISA, "cvv": "200"}}, "gateway_rejected", "cvv"),
        ({"billing": {"postal_code": "20000"}}, "gateway_rejected", "avs"),
        ({"options": {"three_d_secure": {"required": True}}}, "gateway_rejected", "three_d_secure"),
    ],
)
def test_a_sale_is_declined_or_rejected(
    braintree: Any, emulator: Sandbox, fields: dict[str, Any], status: str, said: str
) -> None:
    result = braintree.transaction.sale(order(**fields))
    shown = result.transaction
    assert (result.is_success, refused(result), shown.status) == (False, [], status)
    assert (shown.gateway_rejection_reason or shown.processor_response_code) == said
    assert result.message == (
        f"Gateway Rejected: {said}" if status == "gateway_rejected" else shown.processor_response_text
    )
    assert booked(emulator, shown)["authorized"] == 0
    assert braintree.transaction.find(shown.id).status == status


def test_a_card_that_the_merchant_keeps_pays_again_by_the_networks_id_of_the_first_time(
    braintree: Any,
) -> None:
    first = sold(braintree, credit_card=VISA, external_vault={"status": "will_vault"})
    earlier = {"status": "vaulted", "previous_network_transaction_id": first.network_transaction_id}
    later = sold(braintree, credit_card=VISA, external_vault=earlier, transaction_source="unscheduled")
    assert later.network_transaction_id != first.network_transaction_id


@pytest.mark.parametrize(
    ("pays", "options"),
    [
        ({"payment_method_token": "tok_3ds_60"}, {}),
        ({"payment_method_token": "tok_3ds_abandoned_60"}, {}),
        (
            {"payment_method_nonce": "fake-three-d-secure-visa-full-authentication-nonce"},
            {"three_d_secure": {"required": True}},
        ),
    ],
)
def test_what_the_payer_authenticated_in_the_browser_shifts_the_liability(
    braintree: Any, pays: dict[str, str], options: dict[str, Any]
) -> None:
    paid = sold(braintree, **pays, options=options)
    assert (paid.status, paid.three_d_secure_info.liability_shifted) == ("authorized", True)


class TestTheSameSaleAgain:
    def test_a_token_that_pays_an_order_twice_within_thirty_seconds_is_a_duplicate(
        self, braintree: Any, emulator: Sandbox
    ) -> None:
        given = order(amount="23.00")
        first = braintree.transaction.sale(dict(given)).transaction
        again = braintree.transaction.sale(dict(given))
        assert (again.message, again.transaction.gateway_rejection_reason) == (
            "Gateway Rejected: duplicate",
            "duplicate",
        )
        assert again.transaction.duplicate_of_transaction_id == first.id
        assert braintree.transaction.sale({**given, "order_id": f"{given['order_id']}2"}).is_success
        assert braintree.transaction.sale({**given, "amount": "23.01"}).is_success

    def test_after_that_it_is_charged_twice(self, braintree: Any, emulator: Sandbox) -> None:
        given = order(credit_card=VISA)
        first = braintree.transaction.sale(dict(given)).transaction
        advance(emulator, 31)
        second = braintree.transaction.sale(dict(given)).transaction
        assert [booked(emulator, one)["authorized"] for one in (first, second)] == [1999, 1999]

    def test_one_that_was_declined_is_none_that_is_repeated(self, braintree: Any) -> None:
        given = order(payment_method_token="tok_soft_insufficient_funds_once")
        assert braintree.transaction.sale(dict(given)).transaction.status == "processor_declined"
        assert braintree.transaction.sale(dict(given)).is_success

    def test_a_nonce_pays_an_order_once(self, braintree: Any) -> None:
        given = order(payment_method_nonce="fake-valid-nonce")
        assert braintree.transaction.sale(dict(given)).is_success
        again = braintree.transaction.sale(dict(given))
        assert refused(again) == [TRANSACTION.PaymentMethodNonceConsumed]

    def test_a_key_shows_what_the_first_request_made_as_it_is_now(
        self, braintree: Any, emulator: Sandbox
    ) -> None:
        given = order(submits=True, api_request_key=uuid.uuid4().hex)
        first = braintree.transaction.sale(dict(given)).transaction
        advance(emulator, 3)
        again = braintree.transaction.sale(dict(given)).transaction
        assert (again.id, first.status, again.status) == (first.id, "submitted_for_settlement", "settled")
        other = braintree.transaction.sale({**given, "amount": "5.00"})
        assert refused(other) == [TRANSACTION.ApiRequestKeyCanBeReusedOnlyWithTheSameRequest]
        refund = {"amount": "1.00", "api_request_key": uuid.uuid4().hex}
        ids = {braintree.transaction.refund(first.id, dict(refund)).transaction.id for _ in range(2)}
        assert len(ids) == 1

    def test_a_key_of_a_request_that_was_declined_is_used_up(self, braintree: Any) -> None:
        given = order(amount="2000.00", api_request_key=uuid.uuid4().hex)
        assert braintree.transaction.sale(dict(given)).transaction.status == "processor_declined"
        assert refused(braintree.transaction.sale(dict(given))) == [
            TRANSACTION.ApiRequestKeyWithFailedRequest
        ]
        too_long = braintree.transaction.sale(order(api_request_key="x" * 256))
        assert refused(too_long) == [TRANSACTION.ApiRequestKeyTooLong]


class TestSearch:
    def found(self, braintree: Any, *criteria: Any) -> list[str]:
        return [one.id for one in braintree.transaction.search(*criteria).items]

    def test_an_order_is_found_with_its_refunds_and_what_was_rejected(self, braintree: Any) -> None:
        paid = settled(braintree)
        refund = braintree.transaction.refund(paid.id, "1.00").transaction
        rejected = braintree.transaction.sale(order(order_id=paid.order_id)).transaction
        by_order = TransactionSearch.order_id == paid.order_id
        assert set(self.found(braintree, by_order)) == {paid.id, refund.id, rejected.id}
        assert self.found(braintree, by_order, TransactionSearch.type == "credit") == [refund.id]
        assert self.found(braintree, by_order, TransactionSearch.status == "settled") == [paid.id]
        assert self.found(braintree, TransactionSearch.id == paid.id) == [paid.id]
        assert self.found(braintree, TransactionSearch.order_id == "nobody's") == []

    @pytest.mark.slow
    def test_more_than_a_page_is_found_page_by_page(self, braintree: Any) -> None:
        order_id = f"pay_{uuid.uuid4().hex}-a1"
        made = [sold(braintree, order_id=order_id, amount=f"{cents / 100:.2f}").id for cents in range(1, 53)]
        found = braintree.transaction.search(TransactionSearch.order_id == order_id)
        assert found.maximum_size == 52
        assert [one.id for one in found.items] == made[::-1]

    def test_what_nobody_can_search_for_is_refused(self, braintree: Any) -> None:
        with pytest.raises(AuthorizationError):
            braintree.transaction.search(TransactionSearch.amount == "1.00")


def test_a_merchant_sees_its_own_and_a_stranger_nothing(braintree: Any, emulator: Sandbox) -> None:
    paid = sold(braintree)
    other = sdk(emulator.url, merchant="another_merchant")
    with pytest.raises(NotFoundError):
        other.transaction.find(paid.id)
    assert list(other.transaction.search(TransactionSearch.order_id == paid.order_id).items) == []
    with pytest.raises(AuthenticationError):
        sdk(emulator.url, "wrong").transaction.find(paid.id)


def test_a_merchant_account_is_shown_with_its_currency(braintree: Any) -> None:
    assert braintree.merchant_account.find("emulated_eur").currency_iso_code == "EUR"
    assert [one.id for one in braintree.merchant_account.all().merchant_accounts.items] == ["emulated_usd"]
    with pytest.raises(NotFoundError):
        braintree.merchant_account.find("nobody")


class TestTheVault:
    def test_a_card_is_saved_with_a_customer_and_pays_later(self, braintree: Any) -> None:
        customer = braintree.customer.create({"first_name": "Ann", "email": "ann@example.com"}).customer
        method = braintree.payment_method.create(
            {"customer_id": customer.id, "payment_method_nonce": "fake-valid-mastercard-nonce"}
        ).payment_method
        assert braintree.payment_method.find(method.token).last_4 == "4444"
        assert [card.token for card in braintree.customer.find(customer.id).credit_cards] == [method.token]
        paid = sold(braintree, payment_method_token=method.token)
        assert (paid.credit_card_details.token, paid.customer_details.id) == (method.token, customer.id)
        assert sold(braintree, customer_id=customer.id).credit_card_details.token == method.token
        nonce = braintree.payment_method_nonce.create(method.token).payment_method_nonce.nonce
        assert sold(braintree, payment_method_nonce=nonce).status == "authorized"
        again = braintree.transaction.sale(order(payment_method_nonce=nonce))
        assert refused(again) == [TRANSACTION.PaymentMethodNonceConsumed]
        assert braintree.payment_method.delete(method.token).is_success
        gone = braintree.transaction.sale(order(payment_method_token=method.token))
        assert refused(gone) == [TRANSACTION.PaymentMethodTokenIsInvalid]
        assert braintree.customer.delete(customer.id).is_success
        with pytest.raises(NotFoundError):
            braintree.customer.find(customer.id)

    def test_a_sale_saves_what_has_paid(self, braintree: Any) -> None:
        options = {"store_in_vault_on_success": True}
        paid = sold(braintree, credit_card=VISA, options=options, customer={"first_name": "Ann"})
        token = paid.credit_card_details.token
        assert sold(braintree, payment_method_token=token).credit_card_details.last_4 == "1111"
        assert braintree.customer.find(paid.customer_details.id).credit_cards[0].token == token

    def test_a_wallet_pays_too(self, braintree: Any) -> None:
        paid = sold(braintree, payment_method_nonce="fake-paypal-one-time-nonce", submits=True)
        assert (paid.payment_instrument_type, paid.paypal_details.payer_email) == (
            "paypal_account",
            "payer@example.com",
        )

    def test_nothing_of_a_card_is_kept_but_its_ends(self, braintree: Any, emulator: Sandbox) -> None:
        sold(braintree, credit_card={**VISA, "number": "5555555555554444", "cvv": "737"})
        braintree.transaction.sale(order(amount="ten", credit_card=VISA))
        kept = emulator.call("GET", "/_sandbox/exchanges").body + emulator.call("GET", "/_sandbox/").body
        assert b"555555" in kept
        assert not any(
            secret in kept for secret in (b"5555555555554444", b"4111111111111111", b"<cvv>737", b">737<")
        )


def told(shop: Sink, braintree: Any, about: str) -> list[Any]:
    """The notifications about a transaction or a dispute, as the SDK reads them."""
    parsed = []
    for one in shop.at("/braintree"):
        form = parse_qs(one.body.decode())
        parsed.append(braintree.webhook_notification.parse(form["bt_signature"][0], form["bt_payload"][0]))
    return [one for one in parsed if about in _named_by(one)]


def _named_by(notification: Any) -> tuple[str, ...]:
    subject = getattr(notification, "transaction", None) or getattr(notification, "dispute", None)
    disputed = getattr(getattr(notification, "dispute", None), "transaction", None)
    return tuple(one.id for one in (subject, disputed) if one is not None)


def kinds(shop: Sink, braintree: Any, about: str) -> list[str]:
    return [one.kind for one in told(shop, braintree, about)]


def test_what_settles_is_told_and_signed_as_the_sdk_checks_it(
    braintree: Any, emulator: Sandbox, shop: Sink
) -> None:
    paid = settled(braintree)
    assert eventually(lambda: kinds(shop, braintree, paid.id) == ["transaction_settled"])
    assert told(shop, braintree, paid.id)[0].transaction.status == "settled"
    form = parse_qs(shop.at("/braintree")[0].body.decode())
    with pytest.raises(InvalidSignatureError):
        sdk(emulator.url, "wrong").webhook_notification.parse(form["bt_signature"][0], form["bt_payload"][0])


def test_an_address_is_challenged_and_tried(braintree: Any, emulator: Sandbox, shop: Sink) -> None:
    asked = emulator.call("GET", "/_sandbox/webhook-challenge").json
    assert braintree.webhook_notification.verify(asked["bt_challenge"]) == asked["answer"]
    assert emulator.post("/_sandbox/webhook-check", {}).status == 202
    assert eventually(lambda: b"check" in b"".join(_payloads(shop)))


def _payloads(shop: Sink) -> list[bytes]:
    return [
        base64.b64decode(parse_qs(one.body.decode())["bt_payload"][0].replace("\n", ""))
        for one in shop.at("/braintree")
    ]


@pytest.mark.parametrize(
    ("token", "status", "captured"),
    [
        ("tok_fails_late_60_on_capture", "settlement_declined", 0),
        ("tok_pending_60", "settled", 1999),
        ("tok_pending_fail_60", "settlement_declined", 0),
        ("tok_pending_60_on_capture", "settled", 1999),
        ("tok_pending_fail_60_on_capture", "settlement_declined", 0),
    ],
)
def test_a_settlement_is_decided_later(
    braintree: Any, emulator: Sandbox, shop: Sink, token: str, status: str, captured: int
) -> None:
    held = token.endswith("_on_capture") and token.startswith("tok_pending")
    paid = sold(braintree, payment_method_token=token, submits=not held)
    if held:
        paid = braintree.transaction.submit_for_settlement(paid.id).transaction
    assert paid.status == ("settlement_pending" if "pending" in token else "submitted_for_settlement")
    advance(emulator, 61)
    shown = braintree.transaction.find(paid.id)
    assert shown.status == status
    assert (shown.processor_settlement_response_code == "4001") == (captured == 0)
    assert booked(emulator, paid)["captured"] == captured
    assert eventually(lambda: kinds(shop, braintree, paid.id) == [f"transaction_{status}"])


@pytest.mark.parametrize(
    ("token", "status", "refunded"),
    [
        ("tok_pending_60_on_refund", "settled", 500),
        ("tok_pending_fail_60_on_refund", "settlement_declined", 0),
        ("tok_fails_late_60", "settlement_declined", 0),
    ],
)
def test_a_refund_is_decided_later(
    braintree: Any, emulator: Sandbox, token: str, status: str, refunded: int
) -> None:
    paid = settled(braintree, payment_method_token=token)
    refund = braintree.transaction.refund(paid.id, "5.00").transaction
    advance(emulator, 61)
    assert braintree.transaction.find(refund.id).status == status
    assert (booked(emulator, paid)["refunded"], sum(booked(emulator, paid)["refunds"])) == (
        refunded,
        refunded,
    )


def test_tests_settle_what_was_submitted_as_they_want(braintree: Any) -> None:
    testing, held = simulated(braintree), sold(braintree)
    assert refused(testing.settle_transaction(held.id)) == [TRANSACTION.CannotSimulateTransactionSettlement]
    for simulate, status in (
        (testing.settlement_pending_transaction, "settlement_pending"),
        (testing.settlement_confirm_transaction, "settlement_confirmed"),
        (testing.settlement_decline_transaction, "settlement_declined"),
    ):
        paid = sold(braintree, payment_method_token="tok_settles_600", submits=True)
        assert simulate(paid.id).transaction.status == status


class TestDisputes:
    def opened(self, braintree: Any, **fields: Any) -> Any:
        (dispute,) = sold(braintree, submits=True, **fields).disputes
        return dispute

    @pytest.mark.parametrize(
        ("evidence", "ends"), [("compelling_evidence", "won"), ("losing_evidence", "lost")]
    )
    def test_the_evidence_decides(
        self, braintree: Any, emulator: Sandbox, shop: Sink, evidence: str, ends: str
    ) -> None:
        dispute = self.opened(braintree, credit_card={**VISA, "number": "4023898493988028"})
        assert (dispute.status, dispute.kind, str(dispute.amount_disputed)) == ("open", "chargeback", "19.99")
        taken_back = braintree.dispute.add_text_evidence(dispute.id, "not that").evidence
        assert braintree.dispute.remove_evidence(dispute.id, taken_back.id).is_success
        assert braintree.dispute.add_text_evidence(dispute.id, evidence).evidence.comment == evidence
        assert braintree.dispute.finalize(dispute.id).is_success
        assert braintree.dispute.find(dispute.id).status == "disputed"
        advance(emulator, 2)
        assert braintree.dispute.find(dispute.id).status == ends
        wanted = ["dispute_opened", "dispute_disputed", f"dispute_{ends}"]
        assert eventually(lambda: kinds(shop, braintree, dispute.id) == wanted)

    def test_one_that_is_accepted_takes_nothing_more(self, braintree: Any, shop: Sink) -> None:
        dispute = self.opened(braintree, payment_method_token="tok_dispute")
        assert braintree.dispute.accept(dispute.id).is_success
        assert refused(braintree.dispute.accept(dispute.id)) == [ErrorCodes.Dispute.CanOnlyAcceptOpenDispute]
        assert refused(braintree.dispute.finalize(dispute.id)) == [
            ErrorCodes.Dispute.CanOnlyFinalizeOpenDispute
        ]
        assert refused(braintree.dispute.add_text_evidence(dispute.id, "late")) == [
            ErrorCodes.Dispute.CanOnlyAddEvidenceToOpenDispute
        ]
        assert eventually(
            lambda: kinds(shop, braintree, dispute.id) == ["dispute_opened", "dispute_accepted"]
        )

    @pytest.mark.parametrize(
        ("token", "kind", "status"),
        [
            ("tok_dispute_accepted_60", "chargeback", "auto_accepted"),
            ("tok_dispute_won_60", "chargeback", "won"),
            ("tok_dispute_warning_closed_60", "retrieval", "expired"),
        ],
    )
    def test_it_ends_by_itself(
        self, braintree: Any, emulator: Sandbox, shop: Sink, token: str, kind: str, status: str
    ) -> None:
        dispute = self.opened(braintree, payment_method_token=token)
        assert (dispute.status, dispute.kind) == ("open", kind)
        advance(emulator, 61)
        assert (braintree.dispute.find(dispute.id).status, braintree.dispute.find(dispute.id).kind) == (
            status,
            kind,
        )
        assert eventually(
            lambda: kinds(shop, braintree, dispute.id) == ["dispute_opened", f"dispute_{status}"]
        )

    def test_one_is_put_under_review_by_hand(self, braintree: Any, emulator: Sandbox, shop: Sink) -> None:
        dispute = self.opened(braintree, payment_method_token="tok_dispute")
        emulator.post("/_sandbox/disputes", {"id": dispute.id, "status": "under_review"})
        assert eventually(lambda: kinds(shop, braintree, dispute.id)[-1:] == ["dispute_under_review"])
