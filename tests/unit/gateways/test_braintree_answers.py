"""What the Braintree adapter asks, and what it makes of answers and look-ups: by hand, without a socket."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from support.braintree_answers import (
    ASKED,
    CAPTURE,
    CHARGE,
    GIVEN_BACK,
    HELD,
    LOST,
    PAYMENT,
    REFUND,
    SALE,
    VOID,
    adapter,
    answer,
    declined,
    error,
    ids,
    listed,
    of,
    over,
    refund,
    shown,
    transaction,
    written,
)
from support.flows import run

from aegis_worker.domain.declines import DECLINES
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    Movement,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.braintree.codes import DECLINE_CODES
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.gateways.requests import GatewayRequest

AUTHORIZED = transaction("authorized")
SETTLED = transaction("settled")
CAPTURED = transaction(amount="5.00", order_id=CAPTURE.idempotency_key, history=("authorized",))
VOIDED = transaction("voided", history=("authorized", "submitted_for_settlement"))


def said(request: GatewayRequest, *answers: HttpAnswer | NotSent | Unknown) -> Any:
    return run(getattr(adapter(), request.operation.value)(request), *answers)[0]


def found(query: Any, *answers: HttpAnswer) -> Any:
    look_up = adapter().find_by_reference if query.gateway_ref is None else adapter().get_status
    return run(look_up(query), *answers)[0]


def test_every_code_has_one_of_ours() -> None:
    assert set(DECLINE_CODES.values()) <= DECLINES.keys()


class TestCharge:
    def test_approved(self) -> None:
        outcome = said(CHARGE, shown(transaction(), 201))
        assert (outcome.gateway_ref, outcome.captured, outcome.captured_minor) == (SALE, True, 1999)

    def test_the_networks_id_of_it(self) -> None:
        made = transaction(network_transaction_id="020901091226123")
        assert said(CHARGE, shown(made, 201)).network_transaction_id == "020901091226123"
        assert said(CHARGE, shown(transaction(), 201)).network_transaction_id is None

    def test_held(self) -> None:
        held = transaction("authorized", authorization_expires_at="2026-09-28T13:00:00Z")
        outcome = said(CHARGE, shown(held, 201))
        assert not outcome.captured
        assert outcome.capture_before.isoformat() == "2026-09-28T13:00:00+00:00"

    @pytest.mark.parametrize(
        ("response_code", "code"),
        [
            ("2001", "insufficient_funds"),
            ("2013", "stolen_card"),
            ("2099", "authentication_required"),
            ("2998", "generic_decline"),
        ],
    )
    def test_declined_by_the_processor(self, response_code: str, code: str) -> None:
        made = transaction("processor_declined", processor_response_code=response_code)
        outcome = said(CHARGE, declined(made))
        assert (outcome.code, outcome.gateway_code, outcome.gateway_ref) == (code, response_code, SALE)

    def test_advice_never_to_try_again_outweighs_the_code(self) -> None:
        made = transaction("processor_declined", processor_response_code="2046", merchant_advice_code="03")
        assert said(CHARGE, declined(made)).code == "do_not_try_again"

    @pytest.mark.parametrize(
        ("reason", "code"),
        [
            ("avs", "generic_decline"),
            ("cvv", "invalid_cvc"),
            ("avs_and_cvv", "invalid_cvc"),
            ("fraud", "suspected_fraud"),
            ("three_d_secure", "authentication_required"),
        ],
    )
    def test_rejected_by_braintrees_own_checks(self, reason: str, code: str) -> None:
        outcome = said(CHARGE, declined(transaction("gateway_rejected", gateway_rejection_reason=reason)))
        assert (outcome.code, outcome.gateway_code) == (code, f"gateway_rejected: {reason}")

    @pytest.mark.parametrize(
        "refused",
        [
            declined(transaction("gateway_rejected", gateway_rejection_reason="duplicate")),
            declined(transaction("processor_declined", processor_response_code="2016")),
            answer(error("91564"), 422),
            answer(error("91566"), 422),
            answer(error("915233"), 422),
        ],
        ids=["duplicate", "duplicate at the processor", "consumed nonce", "locked nonce", "key in flight"],
    )
    def test_what_our_own_first_call_may_have_done_is_unknown(self, refused: HttpAnswer) -> None:
        assert isinstance(said(CHARGE, refused), Unknown)

    @pytest.mark.parametrize(
        ("code", "ours"),
        [
            ("91565", "invalid_token"),
            ("91518", "invalid_token"),
            ("91567", "card_not_supported"),
            ("81715", "invalid_number"),
            ("81707", "invalid_cvc"),
            ("81503", "invalid_request"),
        ],
    )
    def test_an_invalid_request(self, code: str, ours: str) -> None:
        assert said(CHARGE, answer(error(code), 422)) == Declined(ours, code, "why")

    @pytest.mark.parametrize(
        "other",
        [
            {"order_id": "another"},
            {"amount": "20.00", "status_history": []},
            {"currency_iso_code": "EUR"},
            {"merchant_account_id": "shop_jpy"},
            {"merchant_account_id": "somebody_elses"},
        ],
    )
    def test_an_answer_about_something_else(self, other: dict[str, Any]) -> None:
        for given in (shown(transaction(**other), 201), declined(transaction("processor_declined", **other))):
            outcome = said(CHARGE, given)
            assert isinstance(outcome, Unknown)
            assert outcome.kind is UnknownKind.MISMATCH

    def test_an_error_that_shows_an_approved_sale_is_a_doubt(self) -> None:
        assert isinstance(said(CHARGE, declined(transaction())), Unknown)

    def test_http_errors(self) -> None:
        assert said(CHARGE, HttpAnswer(401, {}, b"")).code == "gateway_misconfigured"
        assert said(CHARGE, HttpAnswer(429, {"Retry-After": "7"}, b"")) == NotSent(
            "rate limited", 7.0, NotSentKind.RATE_LIMIT
        )
        for status in (404, 500, 503, 504):
            outcome = said(CHARGE, HttpAnswer(status, {}, b""))
            assert isinstance(outcome, Unknown)
            assert not outcome.stored, "Braintree keeps no errors that a repeat would get again"

    def test_a_consumed_nonce_stays_so_however_often_it_is_tried(self) -> None:
        assert said(CHARGE, answer(error("91564"), 422)).stored
        assert not said(CHARGE, answer(error("91566"), 422)).stored

    @pytest.mark.parametrize(
        "body", [b"", b"<html>", b"<transaction><id>1</id></transaction>", b"<!DOCTYPE x><x/>"]
    )
    def test_an_answer_that_can_not_be_read(self, body: bytes) -> None:
        outcome = said(CHARGE, HttpAnswer(201, {}, body))
        assert isinstance(outcome, Unknown)
        assert outcome.kind is UnknownKind.UNREADABLE

    def test_a_currency_without_a_merchant_account_is_not_sent(self) -> None:
        request = replace(CHARGE, terms=replace(CHARGE.terms, amount=Money(5, "EUR")))
        assert said(request).code == "invalid_request"


class TestCapture:
    def test_the_captures_key_becomes_the_order_id(self) -> None:
        outcome, calls = run(adapter().capture(over(CAPTURE, 500)), shown(AUTHORIZED), shown(CAPTURED))
        assert outcome == Approved(SALE)
        assert calls[1].path.endswith(f"/transactions/{SALE}/submit_for_settlement")
        assert written(calls[1]) == {"transaction": {"amount": "5.00", "order_id": CAPTURE.idempotency_key}}

    def test_a_processor_that_keeps_the_order_id(self) -> None:
        unnamed = transaction(amount="5.00", history=("authorized",))
        flow = adapter().capture(over(CAPTURE, 500))
        outcome, calls = run(flow, shown(AUTHORIZED), answer(error("915107"), 422), shown(unnamed))
        assert outcome == Approved(SALE)
        assert written(calls[2]) == {"transaction": {"amount": "5.00"}}

    def test_what_was_captured_by_a_call_without_an_answer_is_not_captured_again(self) -> None:
        assert said(over(CAPTURE, 500), shown(CAPTURED)) == Approved(SALE)

    def test_what_another_capture_took_is_too_late(self) -> None:
        other = transaction(order_id=f"{PAYMENT}c102")
        assert said(CAPTURE, shown(other)).code == "too_late"

    def test_a_hold_that_has_ended(self) -> None:
        assert said(CAPTURE, shown(transaction("authorization_expired"))).code == "authorization_expired"

    def test_a_state_that_does_not_allow_it_any_more_is_a_doubt(self) -> None:
        assert isinstance(said(CAPTURE, shown(AUTHORIZED), answer(error("91507"), 422)), Unknown)

    def test_more_than_is_held(self) -> None:
        assert (
            said(over(CAPTURE, 2000), shown(AUTHORIZED), answer(error("91522"), 422)).code
            == "invalid_request"
        )

    @pytest.mark.parametrize(
        "looked_at",
        [HttpAnswer(503, {}, b""), HttpAnswer(404, {}, b""), Unknown("reset"), NotSent("refused")],
    )
    def test_a_sale_that_can_not_be_looked_at_has_nothing_sent(self, looked_at: Any) -> None:
        for request in (CAPTURE, VOID, REFUND):
            assert isinstance(said(request, looked_at), NotSent)

    def test_a_settlement_that_is_pending_or_refused(self) -> None:
        pending = transaction("settlement_pending", order_id=CAPTURE.idempotency_key)
        refused = transaction(
            "settlement_declined", order_id=CAPTURE.idempotency_key, processor_settlement_response_code="4001"
        )
        assert isinstance(found(of(CAPTURE), shown(pending)), Pending)
        assert found(of(CAPTURE), shown(refused)).gateway_code == "4001"


class TestVoid:
    def test_a_hold(self) -> None:
        outcome, calls = run(
            adapter().void(VOID), shown(AUTHORIZED), shown(transaction("voided", history=("authorized",)))
        )
        assert outcome == Approved(SALE, captured=False)
        assert (calls[1].method, calls[1].body, calls[1].only_reads) == ("PUT", None, False)

    def test_what_was_captured_is_not_given_back_by_it(self) -> None:
        assert said(VOID, shown(transaction())).code == "too_late"

    def test_in_doubt(self) -> None:
        assert found(of(VOID), shown(AUTHORIZED)) == NotFound()
        assert isinstance(found(of(VOID), shown(transaction("voided"))), Approved)
        assert found(of(VOID), shown(transaction("authorization_expired"))).code == "authorization_expired"


class TestRefund:
    def test_of_a_settled_sale(self) -> None:
        outcome, calls = run(adapter().refund(REFUND), shown(SETTLED), shown(refund(), 201))
        assert outcome == Approved(GIVEN_BACK)
        assert calls[1].path.endswith(f"/transactions/{SALE}/refund")

    def test_all_of_what_is_not_settled_is_given_back_by_a_void(self) -> None:
        outcome, calls = run(adapter().refund(REFUND), shown(transaction()), shown(VOIDED))
        assert outcome == Approved(SALE)
        assert calls[1].path.endswith(f"/transactions/{SALE}/void")

    def test_a_part_of_what_is_not_settled_waits(self) -> None:
        outcome = said(over(REFUND, 300), shown(transaction()))
        assert isinstance(outcome, NotSent)
        assert outcome.retry_after_s is not None

    def test_what_braintree_does_not_call_settled_yet_waits(self) -> None:
        assert isinstance(said(REFUND, shown(SETTLED), answer(error("91506"), 422)), NotSent)

    def test_what_was_given_back_by_a_call_without_an_answer_is_not_given_back_again(self) -> None:
        with_refund = transaction("settled", refund_ids=[GIVEN_BACK])
        assert said(REFUND, shown(with_refund), listed(refund())) == Approved(GIVEN_BACK)
        assert said(REFUND, shown(VOIDED)) == Approved(SALE)

    def test_what_begins_to_settle_before_its_void_arrives_waits_and_is_no_doubt(self) -> None:
        outcome = said(REFUND, shown(transaction()), answer(error("91504"), 422))
        assert isinstance(outcome, NotSent)
        assert outcome.retry_after_s is not None

    def test_too_much(self) -> None:
        assert said(REFUND, shown(SETTLED), answer(error("91521"), 422)).code == "invalid_request"

    def test_a_void_that_gave_another_sum_back_is_a_doubt(self) -> None:
        captured = transaction(amount="5.00")
        given_back = transaction("voided", amount="4.00", history=("submitted_for_settlement",))
        assert isinstance(said(over(REFUND, 500), shown(captured), shown(given_back)), Unknown)

    def test_is_found_by_its_key_or_its_id(self) -> None:
        assert found(of(REFUND), ids(GIVEN_BACK), listed(refund())) == Approved(GIVEN_BACK)
        assert found(of(REFUND, own_ref=GIVEN_BACK), shown(refund("settled"))) == Approved(GIVEN_BACK)
        assert isinstance(found(of(REFUND, own_ref=GIVEN_BACK), shown(refund("settlement_pending"))), Pending)

    def test_that_was_a_void_is_found_by_its_sale(self) -> None:
        assert found(of(REFUND), ids(), shown(VOIDED)) == Approved(SALE)
        assert found(of(REFUND, own_ref=SALE), shown(VOIDED)) == Approved(SALE)
        assert found(of(REFUND), ids(), shown(SETTLED)) == NotFound()

    def test_that_failed_after_it_was_taken_in(self) -> None:
        late = refund("settlement_declined", processor_settlement_response_code="4001")
        assert found(of(REFUND, own_ref=GIVEN_BACK), shown(late)) == Declined(
            "generic_decline", "4001", "Approved", GIVEN_BACK
        )


class TestLookUps:
    def test_a_charge_whose_answer_was_lost(self) -> None:
        assert found(LOST, ids(SALE), listed(transaction())).gateway_ref == SALE

    def test_nothing_is_found(self) -> None:
        assert found(LOST, ids()) == NotFound()

    def test_a_search_that_took_too_long_is_no_absence(self) -> None:
        assert isinstance(found(LOST, answer({"search_results": {"page_size": 50}})), Unknown)
        assert isinstance(found(LOST, HttpAnswer(408, {}, b"")), Unknown)

    def test_the_duplicate_of_a_charge_is_not_the_charge(self) -> None:
        duplicate = transaction("gateway_rejected", id="d1", gateway_rejection_reason="duplicate")
        assert found(LOST, ids("d1", SALE), listed(duplicate, transaction())).gateway_ref == SALE
        assert isinstance(found(LOST, ids("d1"), listed(duplicate)), Unknown)

    def test_two_charges_under_one_reference_are_a_doubt(self) -> None:
        assert isinstance(found(LOST, ids("a1", SALE), listed(transaction(id="a1"), transaction())), Unknown)

    def test_a_list_of_other_transactions_is_a_doubt(self) -> None:
        assert isinstance(found(LOST, ids(SALE), listed(transaction(id="a1"))), Unknown)
        assert isinstance(found(LOST, ids(SALE), listed(transaction(order_id="another"))), Unknown)

    def test_a_404_on_an_id_that_we_were_given_is_no_absence(self) -> None:
        assert isinstance(found(ASKED, HttpAnswer(404, {}, b"")), Unknown)

    def test_a_hold_that_was_captured_in_part(self) -> None:
        charge = found(replace(HELD, movements=True), shown(CAPTURED))
        assert (charge.captured, charge.captured_minor, charge.still_held, charge.settled) == (
            True,
            500,
            False,
            False,
        )
        assert charge.movements == (
            Movement(Operation.CAPTURE, 500, "succeeded", CAPTURE.idempotency_key, SALE),
        )

    def test_a_charge_with_refunds_ours_and_by_hand(self) -> None:
        by_hand = refund("settled", id="h1", amount="2.00", order_id=f"{PAYMENT}-p1")
        sale = transaction("settled", refund_ids=[GIVEN_BACK, "h1"])
        charge = found(replace(ASKED, movements=True), shown(sale), listed(refund(amount="3.00"), by_hand))
        assert (charge.refunded_minor, charge.settled) == (500, True)
        assert charge.movements == (
            Movement(Operation.REFUND, 300, "succeeded", REFUND.idempotency_key, GIVEN_BACK),
            Movement(Operation.REFUND, 200, "succeeded", None, "h1"),
        )

    def test_a_charge_that_was_given_back_by_a_void(self) -> None:
        charge = found(replace(ASKED, movements=True), shown(VOIDED))
        assert charge.given_back
        assert charge.movements == (Movement(Operation.REFUND, 1999, "succeeded", None, SALE),)

    def test_a_hold_that_was_voided(self) -> None:
        charge = found(HELD, shown(transaction("voided", history=("authorized",))))
        assert charge == Declined("generic_decline", "voided", "voided at Braintree", SALE, released=True)

    def test_a_capture_that_failed_after_it_was_taken_in(self) -> None:
        failed = transaction("settlement_declined", order_id=CAPTURE.idempotency_key, history=("authorized",))
        charge = found(replace(HELD, movements=True), shown(failed))
        assert (charge.captured, charge.captured_minor, charge.still_held) == (False, 0, False)
        assert charge.movements[0].status == "failed"

    def test_refunds_of_another_sale_are_a_doubt(self) -> None:
        sale, strange = (
            transaction("settled", refund_ids=["s1"]),
            refund(id="s1", refunded_transaction_id="x"),
        )
        assert isinstance(found(ASKED, shown(sale), listed(strange)), Unknown)

    def test_a_charge_that_is_disputed(self) -> None:
        assert found(ASKED, shown(transaction("settled", disputes=[{"id": "dp1"}]))).disputed


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"account": None}, "account"),
        ({"base_url": "https://api.braintreegateway.com"}, "base_url"),
        ({"options": {"weather": 1}}, "weather"),
        ({"options": {"public_key": ""}}, "public_key"),
        ({"options": {"merchant_accounts": {}}}, "merchant_accounts"),
        ({"options": {"merchant_accounts": {"XYZ": "a"}}}, "XYZ"),
        ({"options": {"descriptor_company": "four"}}, "descriptor_company"),
        ({"options": {"request_keys": 1}}, "request_keys"),
        ({"options": {"absence_window_s": -1}}, "absence_window_s"),
    ],
)
def test_a_wrong_table_is_named(config: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigurationError, match=names):
        adapter(**config)
