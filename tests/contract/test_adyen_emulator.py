"""The emulator's Adyen: the official SDK drives it, and Adyen's OpenAPI documents referee what it answers and tells."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from Adyen.exceptions import AdyenAPIAuthenticationError, AdyenAPIUnprocessableEntity
from Adyen.util import is_valid_hmac_notification
from support.adyen_process import (
    ADYEN_ACCOUNT,
    ADYEN_SECRET,
    library_finds,
    modifications_api,
    payer_brings_back,
    payments_api,
    post_json,
    running_adyen,
)
from support.merchant_server import Sink
from support.openapi import referee
from support.sandbox_process import NO_ANSWER, Sandbox, eventually
from support.telling import Telling, telling

CHECKOUT, WEBHOOKS = "adyen/CheckoutService-v71.json", "adyen/Webhooks-v1.json"


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    with telling(running_adyen, tmp_path_factory.mktemp("adyen"), "adyen", ADYEN_SECRET) as running:
        yield running


def order(token: str = "tok_visa", **fields: Any) -> dict[str, Any]:
    reference = uuid.uuid4().hex
    return {
        "merchantAccount": ADYEN_ACCOUNT,
        "amount": {"value": 1999, "currency": "USD"},
        "reference": reference,
        "returnUrl": "https://shop.test/back?order=7",
        "paymentMethod": {"type": "scheme", "storedPaymentMethodId": token},
        "metadata": {"merchant_payment_id": f"pay_{reference}"},
        **fields,
    }


HELD: dict[str, Any] = {"additionalData": {"manualCapture": "true"}}


def paid(emulator: Sandbox, given: dict[str, Any]) -> dict[str, Any]:
    """The answer to a charge, which the document allows."""
    answer = post_json(emulator, "/payments", given)
    assert referee(CHECKOUT).misfits_of_answer("POST", "/payments", answer.status, answer.body) == []
    body: dict[str, Any] = answer.json
    return body


def change(reference: str, value: int = 1999) -> dict[str, Any]:
    return {
        "merchantAccount": ADYEN_ACCOUNT,
        "reference": reference,
        "amount": {"value": value, "currency": "USD"},
    }


def told(shop: Sink, reference: str) -> list[dict[str, Any]]:
    """The items with this reference, in the order in which they came."""
    bodies = [json.loads(one.body) for one in shop.at("/adyen")]
    items = [one["NotificationRequestItem"] for body in bodies for one in body["notificationItems"]]
    return [one for one in items if one["merchantReference"] == reference]


def events(shop: Sink, reference: str) -> list[tuple[str, str]]:
    return [(one["eventCode"], one["success"]) for one in told(shop, reference)]


def booked(emulator: Sandbox, reference: str) -> tuple[str, int, int]:
    (row,) = emulator.booked(reference)
    return row["status"], row["captured"], row["refunded"]


def test_the_sdk_charges_captures_and_refunds(emulator: Sandbox, shop: Sink) -> None:
    given = order(**HELD)
    held = payments_api(emulator.url).payments(given).message
    assert (held["resultCode"], held["merchantReference"]) == ("Authorised", given["reference"])
    changes = modifications_api(emulator.url)
    taken_in = changes.capture_authorised_payment(
        change("c-1" + given["reference"], 1500), held["pspReference"]
    )
    assert (taken_in.status_code, taken_in.message["status"]) == (201, "received")
    assert eventually(lambda: booked(emulator, given["reference"]) == ("succeeded", 1500, 0))
    changes.refund_captured_payment(change("r-1" + given["reference"], 400), held["pspReference"])
    assert eventually(lambda: booked(emulator, given["reference"]) == ("succeeded", 1500, 400))
    assert events(shop, given["reference"]) == [("AUTHORISATION", "true")]
    assert eventually(lambda: events(shop, "r-1" + given["reference"]) == [("REFUND", "true")])


def test_the_sdk_cancels_by_either_reference(emulator: Sandbox, shop: Sink) -> None:
    changes = modifications_api(emulator.url)
    given = order(**HELD)
    psp = paid(emulator, given)["pspReference"]
    changes.cancel_authorised_payment_by_psp_reference({"merchantAccount": ADYEN_ACCOUNT}, psp)
    assert eventually(lambda: ("CANCELLATION", "true") in events(shop, given["reference"]))
    given = order(**HELD)
    paid(emulator, given)
    ours = {"merchantAccount": ADYEN_ACCOUNT, "paymentReference": given["reference"]}
    changes.cancel_authorised_payment(ours)
    assert eventually(lambda: ("TECHNICAL_CANCEL", "true") in events(shop, given["reference"]))
    assert booked(emulator, given["reference"])[0] == "voided"


def test_what_is_taken_in_may_be_refused_afterwards(emulator: Sandbox, shop: Sink) -> None:
    changes = modifications_api(emulator.url)
    psp = paid(emulator, given := order())["pspReference"]
    reference = given["reference"]
    changes.refund_captured_payment(change(f"r-{reference}", 2000), psp)
    changes.cancel_authorised_payment_by_psp_reference(
        {"merchantAccount": ADYEN_ACCOUNT, "reference": f"x-{reference}"}, psp
    )
    assert eventually(lambda: events(shop, f"r-{reference}") == [("REFUND", "false")])
    assert eventually(lambda: events(shop, f"x-{reference}") == [("CANCELLATION", "false")])
    assert booked(emulator, reference) == ("succeeded", 1999, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("token", "what", "code"),
    [
        ("tok_capture_failed", "capture", "CAPTURE_FAILED"),
        ("tok_refund_failed", "refund", "REFUND_FAILED"),
        ("tok_refund_reversed", "refund", "REFUNDED_REVERSED"),
    ],
)
def test_a_change_may_fail_after_its_success(
    emulator: Sandbox, shop: Sink, token: str, what: str, code: str
) -> None:
    given = order(token, **(HELD if what == "capture" else {}))
    psp = paid(emulator, given)["pspReference"]
    post_json(emulator, f"/payments/{psp}/{what}s", change(f"z-{given['reference']}"))
    assert eventually(lambda: (code, "true") in events(shop, f"z-{given['reference']}"))
    assert events(shop, f"z-{given['reference']}") == [(what.upper(), "true"), (code, "true")]
    both = told(shop, f"z-{given['reference']}")
    assert len({one["pspReference"] for one in both}) == 1
    assert {one["originalReference"] for one in both} == {psp}


def test_an_automatic_capture_may_fail_late(emulator: Sandbox, shop: Sink) -> None:
    paid(emulator, given := order("tok_capture_failed"))
    assert eventually(lambda: ("CAPTURE_FAILED", "true") in events(shop, given["reference"]))
    assert booked(emulator, given["reference"])[1] == 0


@pytest.mark.parametrize(("button", "result"), [("pass", "Authorised"), ("fail", "Refused")])
def test_a_person_clicks_on_the_page_of_3d_secure(
    emulator: Sandbox, shop: Sink, button: str, result: str
) -> None:
    asked = paid(emulator, given := order("tok_authenticate"))
    assert asked["resultCode"] == "RedirectShopper"
    details = payer_brings_back(asked["action"]["url"], button)
    assert booked(emulator, given["reference"])[0] == "requires_action"
    answer = payments_api(emulator.url).payments_details({"details": details})
    assert answer.message["resultCode"] == result
    body = json.dumps(answer.message).encode()
    assert referee(CHECKOUT).misfits_of_answer("POST", "/payments/details", 200, body) == []
    success = "true" if result == "Authorised" else "false"
    assert eventually(lambda: events(shop, given["reference"]) == [("AUTHORISATION", success)])


def test_adyens_library_authenticates_in_the_page(emulator: Sandbox) -> None:
    native = {"authenticationData": {"threeDSRequestData": {"nativeThreeDS": "preferred"}}}
    asked = paid(emulator, order("tok_authenticate", **native))
    assert asked["action"]["type"] == "threeDS2"
    assert "pspReference" not in asked
    found = library_finds(emulator, asked["action"]["token"])
    assert post_json(emulator, "/payments/details", found["passed"]).json["resultCode"] == "Authorised"


def test_a_refusal_says_why(emulator: Sandbox, shop: Sink) -> None:
    refused = paid(emulator, given := order("tok_hard_stolen_card"))
    assert (refused["resultCode"], refused["refusalReasonCode"]) == ("Refused", "5")
    assert refused["additionalData"]["refusalReasonRaw"].startswith("43")
    assert eventually(lambda: events(shop, given["reference"]) == [("AUTHORISATION", "false")])


def test_what_it_tells_is_signed_and_as_the_document_has_it(emulator: Sandbox, shop: Sink) -> None:
    reference = order()["reference"]
    psp = paid(emulator, order(reference=reference, **HELD))["pspReference"]
    post_json(emulator, f"/payments/{psp}/captures", change(reference))
    assert eventually(lambda: len(events(shop, reference)) == 2)
    for one in shop.at("/adyen"):
        body = json.loads(one.body)
        (wrapped,) = body["notificationItems"]
        code = wrapped["NotificationRequestItem"]["eventCode"]
        assert is_valid_hmac_notification(body, ADYEN_SECRET)
        assert referee(WEBHOOKS).misfits_of_webhook(code, one.body) == []


def test_a_key_gives_its_first_answer_again(emulator: Sandbox) -> None:
    given, key = order(), uuid.uuid4().hex
    first = post_json(emulator, "/payments", given, idempotency_key=key)
    again = post_json(emulator, "/payments", given, idempotency_key=key)
    assert (again.json, again.headers["idempotency-key"]) == (first.json, key)
    assert len(emulator.booked(given["reference"])) == 1


def test_while_the_first_call_is_under_way_a_second_is_told_to_come_back(emulator: Sandbox) -> None:
    given, key = order("tok_latency_3000"), uuid.uuid4().hex
    with pytest.raises(TimeoutError):
        emulator.call("POST", "/v71/payments", given, 0.5, x_api_key="AQE_emulator", idempotency_key=key)
    second = post_json(emulator, "/payments", given, idempotency_key=key)
    assert (second.status, second.json["errorCode"], second.headers["transient-error"]) == (
        422,
        "704",
        "true",
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"returnUrl": ""}, "14_030"),
        ({"reference": ""}, "130"),
        ({"merchantAccount": ""}, "901"),
        ({"amount": {"value": -1, "currency": "USD"}}, "137"),
        ({"paymentMethod": {"type": "scheme", "storedPaymentMethodId": "SQ7ZK2WXH8NG5822"}}, "800"),
        ({"paymentMethod": {"type": "scheme", "storedPaymentMethodId": "tok_soft_nonsense"}}, "800"),
        ({"paymentMethod": {"type": "ideal"}}, "14_004"),
    ],
)
def test_what_adyen_would_refuse_is_refused(emulator: Sandbox, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(AdyenAPIUnprocessableEntity) as error:
        payments_api(emulator.url).payments(order(**fields))
    assert error.value.error_code == code


def test_a_field_that_there_is_not_is_refused(emulator: Sandbox) -> None:
    answer = post_json(emulator, "/payments", order(colour="red"))
    assert (answer.status, answer.json["errorType"]) == (400, "validation")
    assert referee(CHECKOUT).misfits("ServiceError", answer.json) == []


def test_a_wrong_key_is_refused(emulator: Sandbox) -> None:
    api = payments_api(emulator.url)
    api.client.xapikey = "another"
    with pytest.raises(AdyenAPIAuthenticationError):
        api.payments(order())


def test_another_accounts_payment_is_not_there(emulator: Sandbox) -> None:
    psp = paid(emulator, order(**HELD))["pspReference"]
    theirs = {**change("c-1"), "merchantAccount": "AnotherShop"}
    assert post_json(emulator, f"/payments/{psp}/captures", theirs).json["errorCode"] == "167"


@pytest.mark.parametrize(
    ("token", "charged"), [("tok_drop", 1), ("tok_drop_nocharge", 0), ("tok_500", 1), ("tok_500_nocharge", 0)]
)
def test_scripts_act_as_at_the_sandbox(emulator: Sandbox, token: str, charged: int) -> None:
    given = order(token)
    if "drop" in token:
        with pytest.raises(NO_ANSWER):
            post_json(emulator, "/payments", given)
    else:
        assert post_json(emulator, "/payments", given).status == 500
    assert len(emulator.booked(given["reference"])) == charged


def test_nonsense_brought_back_is_refused(emulator: Sandbox) -> None:
    for details in ({"redirectResult": "nonsense"}, {"redirectResult": "A.b"}, {}):
        assert post_json(emulator, "/payments/details", {"details": details}).status == 422
