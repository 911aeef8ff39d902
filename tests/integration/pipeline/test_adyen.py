"""Payments through the pipeline to Adyen's emulator, which can't be asked: the same key, then what it tells, decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.adyen_process import ADYEN_ACCOUNT, library_finds, post_json
from support.adyen_shop import Shop, authorisation, notifying_adyen, shop_at
from support.merchant_server import Sink
from support.orders import CAPTURE, REFUND, VOID, amounts, entity, ordering, payment_now, row_is_fold
from support.payments import action_kept, attempts_of, job_of, payment_of, rows, story_of
from support.sandbox_process import Sandbox, eventually

from aegis_worker.domain.charges import StandingCharge
from aegis_worker.domain.money import Money
from aegis_worker.domain.transitions import State
from aegis_worker.errors import InvalidWebhook
from aegis_worker.gateways.comparison import compare
from aegis_worker.persistence.database import Database


@pytest.fixture(scope="module")
def adyen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Sink]]:
    with notifying_adyen(tmp_path_factory.mktemp("adyen")) as running:
        yield running


@pytest.fixture
def shop(database: Database, adyen: tuple[Sandbox, Sink]) -> Iterator[Shop]:
    made = shop_at(database, *adyen)
    yield made
    made.gateway.close_connections()
    made.emulator.set_faults()


def test_one_call_charges_and_what_adyen_tells_of_it_is_no_news(shop: Shop) -> None:
    payment_id = shop.pay()
    assert shop.state(payment_id) is State.SUCCESS
    shop.hears(payment_id, "AUTHORISATION")
    assert rows(shop.database, "SELECT status FROM gateway_events")[0]["status"] == "no_news"
    assert [call["operation"] for call in attempts_of(shop.database, payment_id)] == ["process"]
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]


@pytest.mark.parametrize("token", ["tok_drop", "tok_garbage"])
def test_a_charge_in_doubt_is_settled_by_its_key(shop: Shop, token: str) -> None:
    payment_id = shop.pay(token)
    assert shop.state(payment_id) is State.PROCESSING
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS
    assert attempts_of(shop.database, payment_id)[0]["sends"] == 2
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]
    assert "IN_DOUBT" in story_of(shop.database, payment_id)


@pytest.mark.parametrize("token", ["tok_drop", "tok_500", "tok_garbage"])
def test_a_charge_in_doubt_is_settled_by_what_adyen_tells(shop: Shop, token: str) -> None:
    payment_id = shop.pay(token)
    shop.hears(payment_id, "AUTHORISATION")
    assert shop.state(payment_id) is State.SUCCESS
    assert attempts_of(shop.database, payment_id)[0]["sends"] == 1
    assert payment_of(shop.database, payment_id).gateway_ref == shop.items(payment_id)[0]["pspReference"]
    assert row_is_fold(shop.database, payment_id)


def test_a_charge_that_was_never_made_is_made_once_by_its_key(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop_nocharge_once")
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]


def test_a_charge_of_which_nothing_is_ever_told_is_never_absent(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop_nocharge")
    for _ in range(40):
        shop.time_passes(400)
    assert shop.state(payment_id) is State.PROCESSING
    assert job_of(shop.database, payment_id)["status"] == "review"
    assert attempts_of(shop.database, payment_id)[0]["sends"] > 2
    assert shop.booked(payment_id) == []


def test_a_person_s_answer_is_not_needed_once_adyen_has_told(shop: Shop) -> None:
    payment_id = shop.pay("tok_500")
    for _ in range(40):
        shop.time_passes(400)
    assert job_of(shop.database, payment_id)["status"] == "review"
    shop.hears(payment_id, "AUTHORISATION")
    assert shop.state(payment_id) is State.SUCCESS


def test_a_refusal_that_only_an_event_tells_of_ends_the_payment(shop: Shop) -> None:
    payment_id = shop.pay("tok_pending_fail_1")
    assert shop.state(payment_id) is State.PROCESSING
    shop.hears(payment_id, "AUTHORISATION")
    assert shop.state(payment_id) is State.FAILURE


def test_what_the_payer_brought_back_moves_the_money(shop: Shop) -> None:
    payment_id = shop.pay("tok_authenticate")
    assert shop.state(payment_id) is State.REQUIRES_ACTION
    action = action_kept(shop.database, payment_id)
    assert action is not None
    assert (action["type"], action["sdk"]) == ("sdk", "adyen")
    found = library_finds(shop.emulator, action["data"]["token"])
    assert shop.booked(payment_id)[0][0] == "requires_action"
    assert post_json(shop.emulator, "/payments/details", found["passed"]).json["resultCode"] == "Authorised"
    shop.hears(payment_id, "AUTHORISATION")
    assert shop.state(payment_id) is State.SUCCESS
    assert action_kept(shop.database, payment_id) is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"merchantReference": "another"}, "another payment"),
        ({"amount": {"value": 1, "currency": "USD"}}, "other money"),
        ({"merchantAccountCode": "AnotherShop"}, "another account"),
        ({"merchantReference": "{payment}c101"}, "another operation"),
    ],
)
def test_an_event_counts_for_exactly_what_it_names(shop: Shop, changed: dict[str, Any], why: str) -> None:
    payment_id = shop.pay("tok_drop_nocharge")
    event = authorisation(payment_id, **changed)
    event["merchantReference"] = event["merchantReference"].format(payment=payment_id)
    shop.takes(event)
    assert shop.state(payment_id) is State.PROCESSING, why


def test_an_event_of_the_other_mode_counts_for_nothing(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop_nocharge")
    shop.takes(authorisation(payment_id), live="true")
    assert shop.state(payment_id) is State.PROCESSING
    assert rows(shop.database, "SELECT status FROM gateway_events")[0]["status"] == "foreign"


def test_an_event_that_another_accounts_secret_signed_changes_nothing(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop_nocharge")
    with pytest.raises(InvalidWebhook):
        shop.takes(authorisation(payment_id), secret="0b" * 32)
    assert rows(shop.database, "SELECT FROM gateway_events") == []
    assert shop.state(payment_id) is State.PROCESSING


def test_a_refusal_after_the_success_undoes_nothing(shop: Shop) -> None:
    payment_id = shop.pay()
    shop.hears(payment_id, "AUTHORISATION")
    (told,) = shop.items(payment_id)
    shop.takes(told | {"success": "false"})
    assert (shop.state(payment_id), job_of(shop.database, payment_id)["status"]) == (
        State.SUCCESS,
        "succeeded",
    )
    assert row_is_fold(shop.database, payment_id)


def test_a_success_after_the_refusal_is_a_charge_too_many_and_given_back(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop")
    shop.takes(authorisation(payment_id, success="false"))
    assert shop.state(payment_id) is State.FAILURE
    shop.hears(payment_id, "AUTHORISATION")
    shop.hears(payment_id, "REFUND")
    story = story_of(shop.database, payment_id)
    assert ("DUPLICATE_DETECTED" in story, "DUPLICATE_REVERSED" in story) == (True, True)
    assert shop.booked(payment_id) == [("succeeded", 1999, 1999)]
    assert row_is_fold(shop.database, payment_id)


def test_a_second_charge_under_our_reference_is_a_persons(shop: Shop) -> None:
    payment_id = shop.pay()
    shop.hears(payment_id, "AUTHORISATION")
    shop.takes(authorisation(payment_id, pspReference="SECOND7HXSKGK8200"))
    job = job_of(shop.database, payment_id)
    assert (job["status"], job["reason"]) == (
        "review",
        "adyen shows 3998 USD in 2 charges, expected was 1999 USD",
    )
    assert shop.state(payment_id) is State.SUCCESS


def test_a_second_charge_is_a_persons_though_the_payments_own_was_never_told_of(shop: Shop) -> None:
    payment_id = shop.pay()
    own = payment_of(shop.database, payment_id).gateway_ref
    shop.takes(authorisation(payment_id, pspReference="SECOND7HXSKGK8200"))
    job = job_of(shop.database, payment_id)
    assert (job["status"], job["reason"]) == (
        "review",
        f"adyen tells of a charge SECOND7HXSKGK8200 beside the payment's own, {own}",
    )
    assert (shop.state(payment_id), row_is_fold(shop.database, payment_id)) == (State.SUCCESS, True)


def test_a_second_charge_that_was_refused_or_given_back_says_nothing_of_the_payments_own(shop: Shop) -> None:
    payment_id = shop.pay()
    shop.takes(authorisation(payment_id, pspReference="SECOND7HXSKGK8200", success="false"))
    job = job_of(shop.database, payment_id)
    assert (job["status"], job["reason"]) == ("failed", "it has told of another charge only")
    shop.takes(
        authorisation(payment_id, pspReference="SECOND7HXSKGK8200"),
        authorisation(
            payment_id,
            eventCode="REFUND",
            pspReference="REF7HXSKGK820000",
            originalReference="SECOND7HXSKGK8200",
        ),
    )
    assert job_of(shop.database, payment_id)["status"] == "failed"
    payment = payment_of(shop.database, payment_id)
    assert (payment.state, payment.refunded_minor) == (State.SUCCESS, 0)


def test_what_adyen_s_reversal_gave_back_becomes_a_refund(shop: Shop) -> None:
    payment_id = shop.pay()
    psp = str(payment_of(shop.database, payment_id).gateway_ref)
    shop.takes(
        authorisation(
            payment_id, eventCode="CANCEL_OR_REFUND", pspReference="REV7HXSKGK820000", originalReference=psp
        )
    )
    assert amounts(shop.database, payment_id)["refunded"] == 1999
    assert rows(shop.database, "SELECT origin, status FROM refunds") == [
        {"origin": "gateway", "status": "succeeded"}
    ]
    assert row_is_fold(shop.database, payment_id)


def test_a_hold_whose_authorisation_was_never_told_ends_with_its_expire(shop: Shop) -> None:
    payment_id = shop.pay(capture_method="manual")
    psp = str(payment_of(shop.database, payment_id).gateway_ref)
    shop.takes(authorisation(payment_id, eventCode="EXPIRE", pspReference=psp))
    payment = payment_now(shop.database, payment_id)
    assert payment.state is State.CANCELLED
    assert payment.last_error is not None
    assert payment.last_error["code"] == "authorization_expired"


def test_a_refund_that_is_told_with_other_money_is_not_settled_by_it(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop_on_refund")
    refund = ordering(shop.database, shop.gateway, payment_id, REFUND, 500)
    shop.works()
    psp = str(payment_of(shop.database, payment_id).gateway_ref)
    told = authorisation(
        payment_id,
        eventCode="REFUND",
        pspReference="REF7HXSKGK820000",
        originalReference=psp,
        merchantReference=f"{payment_id}b101",
        amount={"value": 400, "currency": "USD"},
    )
    shop.takes(told)
    assert entity(shop.database, refund.id)["status"] == "pending"
    assert amounts(shop.database, payment_id)["refunding"] == 500
    assert row_is_fold(shop.database, payment_id)


def test_an_event_counts_in_adyens_units_alone(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop_nocharge", amount=Money(1999, "ISK"))
    shop.takes(authorisation(payment_id, amount={"value": 1999, "currency": "ISK"}))
    assert shop.state(payment_id) is State.PROCESSING
    shop.takes(
        authorisation(
            payment_id, pspReference="ISK7HXSKGK820000", amount={"value": 199_900, "currency": "ISK"}
        )
    )
    assert shop.state(payment_id) is State.SUCCESS


def test_a_capture_and_refunds_end_with_what_adyen_tells_of_them(shop: Shop) -> None:
    payment_id = shop.pay(capture_method="manual")
    assert shop.state(payment_id) is State.AUTHORIZED
    capture = ordering(shop.database, shop.gateway, payment_id, CAPTURE, 1500)
    shop.works()
    assert entity(shop.database, capture.id)["status"] == "pending"
    shop.hears(payment_id, "CAPTURE")
    assert entity(shop.database, capture.id)["status"] == "succeeded"
    assert shop.state(payment_id) is State.SUCCESS
    for number, minor in enumerate((300, 400)):
        refund = ordering(shop.database, shop.gateway, payment_id, REFUND, minor, f"r-{number}")
        shop.works()
        assert amounts(shop.database, payment_id)["refunding"] == minor
        assert eventually(
            lambda: len([one for one in shop.items(payment_id) if one["eventCode"] == "REFUND"]) > number  # noqa: B023
        )
        shop.hears(payment_id, "REFUND")
        assert entity(shop.database, refund.id)["status"] == "succeeded"
    sums = amounts(shop.database, payment_id)
    assert (sums["captured"], sums["refunded"]) == (1500, 700)
    assert shop.booked(payment_id) == [("succeeded", 1500, 700)]
    assert row_is_fold(shop.database, payment_id)


def test_a_hold_that_is_cancelled_is_released(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop_on_void", capture_method="manual")
    cancel = ordering(shop.database, shop.gateway, payment_id, VOID)
    shop.works()
    shop.hears(payment_id, "CANCELLATION")
    assert entity(shop.database, cancel.id)["status"] == "succeeded"
    assert payment_now(shop.database, payment_id).state is State.CANCELLED
    assert shop.booked(payment_id) == [("voided", 0, 0)]


def test_a_hold_that_expires_ends_the_payment(shop: Shop) -> None:
    payment_id = shop.pay("tok_hold_1", capture_method="manual")
    assert shop.state(payment_id) is State.AUTHORIZED
    shop.hears(payment_id, "EXPIRE")
    payment = payment_now(shop.database, payment_id)
    assert payment.state is State.CANCELLED
    assert payment.last_error is not None
    assert payment.last_error["code"] == "authorization_expired"
    assert rows(shop.database, "SELECT 1 FROM voids") == []
    assert shop.booked(payment_id) == [("voided", 0, 0)]
    assert row_is_fold(shop.database, payment_id)


@pytest.mark.parametrize("kind", [CAPTURE, REFUND])
def test_what_adyen_can_not_carry_out_fails(shop: Shop, kind: Any) -> None:
    method = "manual" if kind is CAPTURE else "automatic"
    payment_id = shop.pay(f"tok_soft_processing_error_on_{kind.value}", capture_method=method)
    ordered = ordering(shop.database, shop.gateway, payment_id, kind, 500)
    shop.works()
    shop.hears(payment_id, kind.value.upper())
    assert entity(shop.database, ordered.id)["status"] == "failed"
    assert row_is_fold(shop.database, payment_id)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "token", "code"),
    [
        (CAPTURE, "tok_capture_failed", "CAPTURE_FAILED"),
        (REFUND, "tok_refund_failed", "REFUND_FAILED"),
        (REFUND, "tok_refund_reversed", "REFUNDED_REVERSED"),
    ],
)
def test_what_fails_days_after_its_success_is_told(shop: Shop, kind: Any, token: str, code: str) -> None:
    payment_id = shop.pay(token, capture_method="manual" if kind is CAPTURE else "automatic")
    ordered = ordering(shop.database, shop.gateway, payment_id, kind, 500)
    shop.works()
    shop.hears(payment_id, kind.value.upper())
    assert entity(shop.database, ordered.id)["status"] == "succeeded"
    shop.hears(payment_id, code)
    assert entity(shop.database, ordered.id)["status"] == "failed"
    assert row_is_fold(shop.database, payment_id)


def test_a_refund_in_adyens_customer_area_becomes_an_entity(shop: Shop) -> None:
    payment_id = shop.pay()
    psp = str(payment_of(shop.database, payment_id).gateway_ref)
    shop.hears(payment_id, "AUTHORISATION")
    by_hand = {
        "merchantAccount": ADYEN_ACCOUNT,
        "reference": "by hand",
        "amount": {"value": 500, "currency": "USD"},
    }
    assert post_json(shop.emulator, f"/payments/{psp}/refunds", by_hand).status == 201
    shop.hears(payment_id, "REFUND")
    assert amounts(shop.database, payment_id)["refunded"] == 500
    (refund,) = rows(shop.database, "SELECT origin, status FROM refunds")
    assert (refund["origin"], refund["status"]) == ("gateway", "succeeded")
    assert row_is_fold(shop.database, payment_id)


def test_a_dispute_is_known_by_what_adyen_tells(shop: Shop) -> None:
    payment_id = shop.pay("tok_dispute")
    shop.hears(payment_id, "NOTIFICATION_OF_CHARGEBACK")
    (dispute,) = rows(shop.database, "SELECT status, payment_id FROM disputes")
    assert (dispute["status"], dispute["payment_id"]) == ("needs_response", payment_id)


def test_a_comparison_reads_what_was_told(shop: Shop) -> None:
    payment_id = shop.pay()
    payment = payment_of(shop.database, payment_id)
    charge = StandingCharge(
        "adyen", f"{payment_id}-p1", payment.gateway_ref, 3600.0, is_own=True, account=ADYEN_ACCOUNT
    )
    before = compare({"adyen": shop.gateway}, payment, [charge], [])
    assert not before.is_answered
    shop.hears(payment_id, "AUTHORISATION")
    after = compare({"adyen": shop.gateway}, payment, [charge], [])
    assert (after.is_answered, after.differs) == (True, False)


@pytest.mark.parametrize("success", ["true", "false"])
def test_a_comparison_takes_no_other_charge_for_the_payments_own(shop: Shop, success: str) -> None:
    payment_id = shop.pay()
    payment = payment_of(shop.database, payment_id)
    shop.takes(authorisation(payment_id, pspReference="SECOND7HXSKGK8200", success=success))
    charge = StandingCharge(
        "adyen", f"{payment_id}-p1", payment.gateway_ref, 3600.0, is_own=True, account=ADYEN_ACCOUNT
    )
    found = compare({"adyen": shop.gateway}, payment, [charge], [])
    assert (found.is_charged_too_often, found.is_answered) == (
        (True, True) if success == "true" else (False, False)
    )
