"""Stripe's requests as values: the official SDK knows every field of them, and would send the same."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import stripe
from msgspec.structs import replace
from stripe import params
from support.typed_params import misfits

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Declined, Operation
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.emulator.stripe.forms import parse
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import HttpCall, OpenCard
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.gateways.stripe.adapter import StripeAdapter
from aegis_worker.gateways.stripe.calls import API_VERSION
from aegis_worker.lab.conformance.numbered import CODE, MASTERCARD, METHOD, NUMBER

KEY = "sk_test_1"


def adapter(**options: Any) -> StripeAdapter:
    account = "acct_1" if options.get("connected") else None
    config = GatewayConfig(
        "stripe", "stripe", "https://api.stripe.com", KEY, account=account, options=options
    )
    return StripeAdapter(config)


PAYMENT = "pay_0123456789abcdef0123456789abcdef"
TERMS = PaymentTerms(
    Money(1999, "USD"),
    {"type": "card", "token": "pm_1"},
    "manual",
    description="Two seats, row 7 & 8",
    return_url="https://shop.test/back?order=7&x=ä",
    statement_descriptor="CINEMA 7",
)
CREATE = GatewayRequest(Operation.INITIATE, PAYMENT, f"{PAYMENT}-i1", TERMS)
CONFIRM = GatewayRequest(Operation.PROCESS, PAYMENT, f"{PAYMENT}-p1", TERMS, "pi_1")
CAPTURE = GatewayRequest(Operation.CAPTURE, PAYMENT, f"{PAYMENT}c101", TERMS, "pi_1", final=False)
VOID = GatewayRequest(Operation.VOID, PAYMENT, f"{PAYMENT}x102", TERMS, "pi_1")
REFUND = GatewayRequest(Operation.REFUND, PAYMENT, f"{PAYMENT}b103", TERMS, "pi_1")


SHIPPING = {"name": "Asha Rao", "line1": "12 MG Road", "city": "Bengaluru", "country": "IN"}


def with_token(token: str, request: GatewayRequest = CREATE) -> GatewayRequest:
    return replace(request, terms=replace(TERMS, payment_method={"type": "card", "token": token}))


def by_number(request: GatewayRequest) -> GatewayRequest:
    vaulted = OpenCard.of(METHOD) if request.operation is Operation.PROCESS else None
    return replace(request, terms=replace(TERMS, payment_method=METHOD), vaulted=vaulted)


REQUESTS = {
    "create for a card of the vault": (by_number(CREATE), params.PaymentIntentCreateParams),
    "confirm by number": (by_number(CONFIRM), params.PaymentIntentConfirmParams),
    "create": (CREATE, params.PaymentIntentCreateParams),
    "create with a token": (with_token("tok_1"), params.PaymentIntentCreateParams),
    "create with a saved card": (with_token("cus_1/pm_1"), params.PaymentIntentCreateParams),
    "confirm by redirect": (CONFIRM, params.PaymentIntentConfirmParams),
    "confirm with a confirmation token": (
        with_token("ctoken_1", CONFIRM),
        params.PaymentIntentConfirmParams,
    ),
    "confirm off session, by a mandate": (
        replace(CONFIRM, terms=replace(TERMS, off_session=True, mandate="mandate_1")),
        params.PaymentIntentConfirmParams,
    ),
    "confirm in the page": (
        replace(CONFIRM, terms=replace(TERMS, return_url=None)),
        params.PaymentIntentConfirmParams,
    ),
    "create with where the goods go": (
        replace(CREATE, payer=Payer({"shipping_address": SHIPPING})),
        params.PaymentIntentCreateParams,
    ),
    "create with a card to be kept": (
        replace(CREATE, terms=replace(TERMS, setup_future_usage="off_session")),
        params.PaymentIntentCreateParams,
    ),
    "confirm without the payer": (
        replace(CONFIRM, terms=replace(TERMS, return_url=None, off_session=True, mandate="mandate_1")),
        params.PaymentIntentConfirmParams,
    ),
    "confirm with 3-D Secure that we demand": (
        replace(CONFIRM, three_ds=True),
        params.PaymentIntentConfirmParams,
    ),
    "confirm by number with 3-D Secure that we demand": (
        replace(by_number(CONFIRM), three_ds=True),
        params.PaymentIntentConfirmParams,
    ),
    "capture": (CAPTURE, params.PaymentIntentCaptureParams),
    "cancel": (VOID, params.PaymentIntentCancelParams),
    "refund": (REFUND, params.RefundCreateParams),
}


def call_of(request: GatewayRequest, **options: Any) -> HttpCall:
    """The operation's first call."""
    flow = getattr(adapter(**options), request.operation.value)(request)
    call = next(flow)
    if isinstance(call, OpenCard):
        call = flow.send(MASTERCARD)
    assert isinstance(call, HttpCall)
    return call


class Recorder(stripe.HTTPClient):
    """Stands for the network in the SDK: remembers the request and answers with an empty object."""

    name = "recorder"

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any
    ) -> tuple[str, int, dict[str, str]]:
        self.got = (method.upper(), url, dict(headers), post_data)
        return "{}", 200, {}

    def close(self) -> None:
        """Nothing is open."""


def sent_by_sdk(request: GatewayRequest, fields: Any, **options: Any) -> tuple[str, str, dict[str, str], str]:
    recorder = Recorder()
    client = stripe.StripeClient(KEY, http_client=recorder)
    given: Any = {"idempotency_key": request.idempotency_key, "stripe_version": API_VERSION, **options}
    intents, ref = client.v1.payment_intents, request.gateway_ref or ""
    match request.operation:
        case Operation.INITIATE:
            intents.create(fields, given)
        case Operation.PROCESS:
            intents.confirm(ref, fields, given)
        case Operation.CAPTURE:
            intents.capture(ref, fields, given)
        case Operation.VOID:
            intents.cancel(ref, fields, given)
        case _:
            client.v1.refunds.create(fields, given)
    return recorder.got


@pytest.mark.parametrize(("request_", "typed"), REQUESTS.values(), ids=REQUESTS)
def test_the_sdk_knows_every_field(request_: GatewayRequest, typed: Any) -> None:
    fields = parse(call_of(request_, multicapture=True).body or b"")
    if (data := fields.pop("payment_method_data", None)) is not None:
        # Its `card` is typed where a payment method is made, and missing here, though Stripe takes it.
        assert misfits(data, params.PaymentMethodCreateParams) == []
    assert misfits(fields, typed) == []


@pytest.mark.parametrize(("request_", "typed"), REQUESTS.values(), ids=REQUESTS)
def test_the_sdk_would_send_the_same(request_: GatewayRequest, typed: Any) -> None:
    call = call_of(request_, multicapture=True, connected=True)
    fields = parse(call.body or b"")
    method, url, headers, body = sent_by_sdk(request_, fields, stripe_account="acct_1")
    assert (call.method, call.path) == (method, urlsplit(url).path)
    assert sorted(parse_qsl(unquote(body or "").encode().decode(), keep_blank_values=True)) == sorted(
        parse_qsl(unquote((call.body or b"").decode()), keep_blank_values=True)
    )
    ours = {name.lower(): value for name, value in call.headers.items()}
    theirs = {name.lower(): value for name, value in headers.items()}
    assert ours.items() <= theirs.items() or not body


def test_three_d_secure_is_demanded_by_the_confirmation() -> None:
    fields = parse(call_of(replace(CONFIRM, three_ds=True)).body or b"")
    assert fields["payment_method_options"] == {"card": {"request_three_d_secure": "any"}}
    assert "payment_method_options" not in parse(call_of(CONFIRM).body or b"")


def test_what_the_sdk_does_not_know_is_noticed() -> None:
    wrong = {"amount": "12.50", "colour": "red", "payment_method_types": ["card"], "off_session": {"a": "b"}}
    assert len(misfits(wrong, params.PaymentIntentCreateParams)) == len(wrong)


@pytest.mark.parametrize(
    ("money", "units"),
    [
        (Money(500, "JPY"), "500"),
        (Money(5, "ISK"), "500"),
        (Money(5, "UGX"), "500"),
        (Money(12340, "BHD"), "12340"),
        (Money(500, "MGA"), "5"),
        (Money(1999, "HUF"), "1999"),
    ],
)
def test_amounts_are_in_stripes_own_units(money: Money, units: str) -> None:
    call = call_of(replace(CREATE, terms=replace(TERMS, amount=money)))
    fields = parse(call.body or b"")
    assert (fields["amount"], fields["currency"]) == (units, money.currency.lower())


@pytest.mark.parametrize("operation", [CREATE, CAPTURE, REFUND], ids=lambda request: request.operation.value)
def test_an_amount_between_stripes_steps_is_never_sent(operation: GatewayRequest) -> None:
    request = replace(operation, terms=replace(TERMS, amount=Money(12345, "BHD")))
    with pytest.raises(StopIteration) as end:
        next(getattr(adapter(), request.operation.value)(request))
    assert isinstance(end.value.value, Declined)
    assert end.value.value.gateway_code == "amount_step"


def test_money_moves_only_by_an_id_that_is_known() -> None:
    with pytest.raises(StopIteration):
        next(adapter().process(replace(CONFIRM, gateway_ref=None)))


@pytest.mark.parametrize(
    ("query", "path"),
    [
        (StatusQuery(Operation.PROCESS, "k", "pi_1"), "/v1/payment_intents/pi_1?expand[]=latest_charge"),
        (StatusQuery(Operation.CAPTURE, "k", "pi/1"), "/v1/payment_intents/pi%2F1?expand[]=latest_charge"),
        (StatusQuery(Operation.REFUND, "k", "pi_1", own_ref="re_1"), "/v1/refunds/re_1"),
        (StatusQuery(Operation.REFUND, "k", "pi_1"), "/v1/refunds?payment_intent=pi_1&limit=100"),
    ],
)
def test_a_look_up_goes_by_id_and_only_reads(query: StatusQuery, path: str) -> None:
    call = next(adapter().get_status(query))
    assert isinstance(call, HttpCall)
    assert (call.method, call.path, call.body, call.only_reads) == ("GET", path, None, True)


def test_the_goods_go_to_an_address_with_a_name_and_the_email_goes_nowhere() -> None:
    payer = Payer({"shipping_address": SHIPPING, "email": "asha@example.com"})
    fields = parse(call_of(replace(CREATE, payer=payer)).body or b"")
    given = {name: text for name, text in SHIPPING.items() if name != "name"}
    assert fields["shipping"] == {"name": "Asha Rao", "address": given}
    assert "receipt_email" not in fields
    nameless = Payer({"shipping_address": given})
    assert "shipping" not in parse(call_of(replace(CREATE, payer=nameless)).body or b"")


def test_a_payer_who_is_not_there_is_asked_for_nothing() -> None:
    fields = parse(
        call_of(replace(CONFIRM, terms=replace(TERMS, return_url=None, off_session=True))).body or b""
    )
    assert fields == {"off_session": "true", "expand": ["latest_charge"]}


@pytest.mark.parametrize("kept", [{"setup_future_usage": "off_session"}, {"off_session": True}])
def test_the_charge_is_shown_where_a_later_one_may_refer_to_it(kept: dict[str, Any]) -> None:
    at_once = replace(TERMS, capture_method="automatic")
    assert "expand" not in parse(call_of(replace(CONFIRM, terms=at_once)).body or b"")
    fields = parse(call_of(replace(CONFIRM, terms=replace(at_once, **kept))).body or b"")
    assert fields["expand"] == ["latest_charge"]


def test_a_card_of_the_vault_goes_out_with_the_confirmation_alone() -> None:
    assert (
        not {"payment_method", "payment_method_data"} & parse(call_of(by_number(CREATE)).body or b"").keys()
    )
    fields = parse(call_of(by_number(CONFIRM)).body or b"")
    assert fields["payment_method_data"] == {
        "type": "card",
        "card": {"number": NUMBER, "exp_month": "3", "exp_year": "2040", "cvc": CODE},
        "billing_details": {"name": "Asha Rao"},
    }
    for request in (CAPTURE, VOID, REFUND):
        later = replace(by_number(request), terms=replace(TERMS, payment_method=METHOD))
        assert b"payment_method" not in (call_of(later).body or b"")


def test_a_card_that_is_gone_is_a_decline_and_nothing_goes_out() -> None:
    flow = adapter().process(by_number(CONFIRM))
    assert isinstance(next(flow), OpenCard)
    gone = Declined("card_gone", "")
    with pytest.raises(StopIteration) as end:
        flow.send(gone)  # type: ignore[arg-type]
    assert end.value.value is gone


def test_a_card_by_number_is_charged_without_its_payer_by_the_agreement() -> None:
    vaulted = {"type": "card", "token": "card_1", "gateway": "vault"}
    agreed = {"off_session": True, "network_transaction_id": "016120310293123"}
    by_number = replace(TERMS, payment_method=vaulted, **agreed)
    fields = parse(call_of(replace(CONFIRM, terms=by_number)).body or b"")
    exemption = {"mit_exemption": {"network_transaction_id": "016120310293123"}}
    assert fields["payment_method_options"] == {"card": exemption}
    by_token = replace(TERMS, **agreed)
    assert "payment_method_options" not in parse(call_of(replace(CONFIRM, terms=by_token)).body or b"")
