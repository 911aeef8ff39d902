"""What the sandbox adapter makes of the gateway's answers, and of everything that is none."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.gateway_calls import sent
from support.payers import payer_clicks
from support.sandbox_calls import (
    WEBHOOK_SECRET,
    adapter_for,
    approved_ref,
    charged,
    later,
    moving,
    query,
    request,
)
from support.sandbox_process import Sandbox, eventually, running_sandbox

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.declines import may_fail_over
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.emulator.script_table import SCRIPTS
from aegis_worker.emulator.scripts import Effect
from aegis_worker.errors import ConfigurationError, InvalidWebhook
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.kit.probing import Standing
from aegis_worker.gateways.requests import StatusQuery
from aegis_worker.gateways.sandbox.codes import DECLINE_CODES


@pytest.fixture
def gateway(sandbox: Sandbox) -> Iterator[LoadedGateway]:
    adapter = adapter_for(sandbox.url)
    yield adapter
    adapter.close_connections()


@pytest.fixture
def impatient(sandbox: Sandbox) -> Iterator[LoadedGateway]:
    """Waits for an answer no longer than half a second."""
    adapter = adapter_for(sandbox.url, timeout_s=0.5)
    yield adapter
    adapter.close_connections()


def is_now(gateway: LoadedGateway, about: StatusQuery, decided: type[Approved | Declined]) -> bool:
    return isinstance(gateway.ask_and_wait(about), decided)


class TestAPaymentsWay:
    def test_a_plain_charge_is_approved_and_booked_under_our_payment_id(
        self, gateway: LoadedGateway, sandbox: Sandbox
    ) -> None:
        charge = request()
        ref = approved_ref(sent(gateway, charge))
        booked = sandbox.booked(charge.idempotency_key)
        assert [(row["payment_id"], row["merchant_payment_id"], row["captured"]) for row in booked] == [
            (ref, charge.payment_id, 1999)
        ]

    @pytest.mark.parametrize("descriptor", ["BLUE TICKETS", "Shop & Co., 7#12 (~)", None])
    def test_the_statement_descriptor_is_booked(
        self, gateway: LoadedGateway, sandbox: Sandbox, descriptor: str | None
    ) -> None:
        ref = approved_ref(sent(gateway, request(statement_descriptor=descriptor)))
        assert sandbox.call("GET", f"/v1/payments/{ref}").json["statement_descriptor"] == descriptor

    def test_initiate_authenticate_and_process_work_on_one_payment(
        self, gateway: LoadedGateway, sandbox: Sandbox
    ) -> None:
        first = request(operation=Operation.INITIATE)
        ref = approved_ref(sent(gateway, first))
        assert sent(gateway, later(first, Operation.AUTHENTICATE, ref)) == Approved(ref, captured=False)
        assert sent(gateway, later(first, Operation.PROCESS, ref)) == charged(ref)
        assert len(sandbox.booked(first.idempotency_key)) == 1

    def test_authenticate_makes_the_payment_where_it_is_the_first_step(self, gateway: LoadedGateway) -> None:
        first = request(operation=Operation.AUTHENTICATE)
        ref = approved_ref(sent(gateway, first))
        assert sent(gateway, later(first, Operation.PROCESS, ref)) == charged(ref)

    def test_a_manual_capture_holds_captures_in_part_and_refunds(self, gateway: LoadedGateway) -> None:
        held = request(capture=False)
        outcome = sent(gateway, held)
        ref = approved_ref(outcome)
        assert replace(outcome, capture_before=None) == charged(ref, captured_minor=0)
        assert sent(gateway, later(held, Operation.CAPTURE, ref, 1000)) == Approved(ref)
        assert sent(gateway, later(held, Operation.REFUND, ref, 999)) == Approved(ref)
        beyond = sent(gateway, later(held, Operation.REFUND, ref, 2))
        assert isinstance(beyond, Declined)
        assert (beyond.code, beyond.gateway_code) == ("invalid_request", "amount_too_large")

    def test_a_look_up_tells_of_a_charge_that_was_wholly_given_back(self, gateway: LoadedGateway) -> None:
        paid = request()
        ref = approved_ref(sent(gateway, paid))
        query = StatusQuery(Operation.PROCESS, paid.idempotency_key, ref)
        sent(gateway, later(paid, Operation.REFUND, ref, 1))
        assert gateway.ask_and_wait(query) == charged(ref, refunded_minor=1)
        sent(gateway, later(paid, Operation.REFUND, ref, paid.amount.minor - 1))
        given_back = gateway.ask_and_wait(query)
        assert given_back == charged(ref, refunded_minor=1999)
        assert isinstance(given_back, Approved)
        assert given_back.given_back

    def test_a_void_releases_the_authorization(self, gateway: LoadedGateway) -> None:
        held = request(capture=False)
        ref = approved_ref(sent(gateway, held))
        assert sent(gateway, later(held, Operation.VOID, ref)) == Approved(ref, captured=False)
        capture = sent(gateway, later(held, Operation.CAPTURE, ref))
        assert isinstance(capture, Declined)
        assert capture.gateway_code == "invalid_state"

    @pytest.mark.parametrize(
        "method",
        [
            {"type": "upi", "vpa": "a@bank"},
            {"type": "net_banking", "bank_code": "HDFC"},
            {"type": "wallet", "provider": "paytm"},
            {"type": "pay_later", "provider": "simpl"},
        ],
        ids=lambda method: method["type"],
    )
    def test_every_method_can_be_charged(self, gateway: LoadedGateway, method: dict[str, str]) -> None:
        assert isinstance(sent(gateway, request(payment_method=method)), Approved)

    def test_a_replay_of_the_same_key_gives_the_same_answer_and_one_charge(
        self, gateway: LoadedGateway, sandbox: Sandbox
    ) -> None:
        charge = request()
        assert sent(gateway, charge) == sent(gateway, charge)
        assert len(sandbox.booked(charge.idempotency_key)) == 1


class TestDeclines:
    @pytest.mark.parametrize(
        "name",
        [
            name
            for name, script in SCRIPTS.items()
            if script.effect is Effect.DECLINE and (not script.wires or "sandbox" in script.wires)
        ],
    )
    def test_each_scripted_decline_has_a_normalised_code_as_soft_or_hard_as_its_name(
        self, gateway: LoadedGateway, name: str
    ) -> None:
        outcome = sent(gateway, request(f"tok_{name}"))
        assert isinstance(outcome, Declined)
        assert outcome.gateway_code == SCRIPTS[name].code
        assert outcome.code == DECLINE_CODES[SCRIPTS[name].code]
        assert may_fail_over(outcome.code) == name.startswith("soft_")

    def test_a_wrong_api_key_is_a_misconfigured_gateway(self, sandbox: Sandbox) -> None:
        outcome = sent(adapter_for(sandbox.url, api_key="sk_wrong"), request())
        assert isinstance(outcome, Declined)
        assert (outcome.code, outcome.gateway_code) == ("gateway_misconfigured", "invalid_api_key")

    def test_a_request_that_the_gateway_calls_invalid_is_declined_as_such(
        self, gateway: LoadedGateway
    ) -> None:
        outcome = sent(gateway, request("tok_soft_nonsense"))
        assert isinstance(outcome, Declined)
        assert (outcome.code, outcome.gateway_code) == ("invalid_request", "unknown_script")


class TestNothingSent:
    def test_a_refused_connection(self, gateway: LoadedGateway, sandbox: Sandbox) -> None:
        charge = request("tok_refused")
        outcome = sent(gateway, charge)
        assert isinstance(outcome, NotSent)
        assert outcome.reason == "could not connect: Connection refused"
        assert sandbox.booked(charge.idempotency_key) == []

    def test_a_refusal_for_this_instance_only(self, gateway: LoadedGateway) -> None:
        assert isinstance(sent(gateway, request("tok_refused_at_sandbox_a")), NotSent)
        assert isinstance(sent(gateway, request("tok_refused_at_sandbox_b")), Approved)

    def test_a_gateway_that_is_not_running(self, tmp_path: Path) -> None:
        with running_sandbox(tmp_path) as stopped:
            stopped.stop()
            adapter = adapter_for(stopped.url)
            assert isinstance(sent(adapter, request()), NotSent)
            assert adapter.probe().standing is Standing.SILENT

    def test_a_429_says_when_to_come_back(self, gateway: LoadedGateway) -> None:
        charge = request("tok_429_7")
        assert sent(gateway, charge) == NotSent("rate limited", 7.0, NotSentKind.RATE_LIMIT)
        assert isinstance(sent(gateway, charge), Approved)


class TestUnknown:
    @pytest.mark.parametrize("token", ["tok_drop", "tok_500", "tok_garbage"])
    def test_a_charge_without_a_usable_answer_is_unknown_and_found_by_asking_or_replaying(
        self, gateway: LoadedGateway, sandbox: Sandbox, token: str
    ) -> None:
        charge = request(token)
        assert isinstance(sent(gateway, charge), Unknown)
        found = gateway.ask_and_wait(query(charge))
        assert isinstance(found, Approved)
        assert gateway.ask_and_wait(query(charge, found.gateway_ref)) == found
        assert sent(gateway, charge) == found
        assert len(sandbox.booked(charge.idempotency_key)) == 1

    @pytest.mark.parametrize("token", ["tok_drop_nocharge", "tok_500_nocharge"])
    def test_the_same_answers_without_a_charge_are_unknown_and_found_nowhere(
        self, gateway: LoadedGateway, token: str
    ) -> None:
        charge = request(token)
        assert isinstance(sent(gateway, charge), Unknown)
        assert gateway.ask_and_wait(query(charge)) == NotFound()

    def test_a_gateway_slower_than_the_timeout(self, impatient: LoadedGateway) -> None:
        charge = request("tok_latency_60000")
        assert sent(impatient, charge) == Unknown("read timeout", kind=UnknownKind.ANSWER_TIMEOUT)
        assert eventually(lambda: isinstance(impatient.ask_and_wait(query(charge)), Approved))
        assert isinstance(sent(impatient, charge), Unknown)  # the key is still in use

    def test_a_late_commit_is_not_found_first_and_approved_in_the_end(self, impatient: LoadedGateway) -> None:
        charge = request("tok_late_commit_2")
        assert isinstance(sent(impatient, charge), Unknown)
        assert eventually(lambda: isinstance(impatient.ask_and_wait(query(charge)), Approved))

    def test_a_look_up_that_lags_finds_nothing_yet(self, gateway: LoadedGateway) -> None:
        charge = request("tok_status_lag_60")
        assert isinstance(sent(gateway, charge), Unknown)
        assert gateway.ask_and_wait(query(charge)) == NotFound()
        assert isinstance(sent(gateway, charge), Approved)  # the key knows

    def test_a_look_up_that_is_down_stays_unknown(self, gateway: LoadedGateway) -> None:
        charge = request("tok_status_down_60")
        assert isinstance(sent(gateway, charge), Unknown)
        assert isinstance(gateway.ask_and_wait(query(charge)), Unknown)

    def test_a_key_reused_with_another_body(self, gateway: LoadedGateway) -> None:
        charge = request()
        sent(gateway, charge)
        assert isinstance(sent(gateway, moving(charge, Money(5, "USD"))), Unknown)

    def test_charging_a_payment_that_is_charged_already(self, gateway: LoadedGateway) -> None:
        charge = request()
        ref = approved_ref(sent(gateway, charge))
        assert isinstance(sent(gateway, later(charge, Operation.PROCESS, ref)), Unknown)

    def test_a_stripe_like_gateway_replays_its_500_and_only_asking_helps(self, tmp_path: Path) -> None:
        with running_sandbox(tmp_path, "--replays-errors") as stripe_like:
            adapter, charge = adapter_for(stripe_like.url), request("tok_500")
            assert [type(sent(adapter, charge)) for _ in range(2)] == [Unknown, Unknown]
            assert isinstance(adapter.ask_and_wait(query(charge)), Approved)

    def test_without_keys_two_charges_under_one_reference_are_found_as_charged(self, tmp_path: Path) -> None:
        with running_sandbox(tmp_path, "--no-idempotency") as keyless:
            adapter, charge = adapter_for(keyless.url), request("tok_hard_lost_card_once")
            assert isinstance(sent(adapter, charge), Declined)
            assert isinstance(sent(adapter, charge), Approved)
            assert isinstance(adapter.ask_and_wait(query(charge)), Approved)


class TestLookUps:
    def test_pending_is_pending_until_it_is_decided(self, gateway: LoadedGateway) -> None:
        for token, decided in (("tok_pending_1", Approved), ("tok_pending_fail_1", Declined)):
            charge = request(token)
            outcome = sent(gateway, charge)
            assert isinstance(outcome, Pending)
            about = query(charge, outcome.gateway_ref)
            assert eventually(partial(is_now, gateway, about, decided))

    def test_3ds_asks_for_the_payer_and_goes_on_when_the_payer_has_clicked(
        self, gateway: LoadedGateway, sandbox: Sandbox
    ) -> None:
        first = request("tok_3ds_60", Operation.AUTHENTICATE)
        asked = sent(gateway, first)
        assert isinstance(asked, ActionRequired)
        assert isinstance(asked.action, Redirect)
        about = query(first, asked.gateway_ref)
        assert gateway.ask_and_wait(about) == asked
        payer_clicks(asked.action.url, "pass")
        assert gateway.ask_and_wait(about) == Approved(asked.gateway_ref, captured=False)
        charge = later(first, Operation.PROCESS, asked.gateway_ref)
        assert gateway.ask_and_wait(query(charge, asked.gateway_ref)) == NotFound()
        assert sent(gateway, charge) == charged(asked.gateway_ref)

    def test_a_failed_3ds_is_a_decline_that_names_it(self, gateway: LoadedGateway) -> None:
        first = request("tok_3ds_fail_1")
        asked = sent(gateway, first)
        assert isinstance(asked, ActionRequired)
        about = query(first, asked.gateway_ref)
        assert eventually(lambda: isinstance(gateway.ask_and_wait(about), Declined))
        declined = gateway.ask_and_wait(about)
        assert isinstance(declined, Declined)
        assert declined.code == "authentication_failed"

    def test_a_payment_that_was_only_created_is_not_found_as_charged(self, gateway: LoadedGateway) -> None:
        first = request(operation=Operation.INITIATE)
        ref = approved_ref(sent(gateway, first))
        assert gateway.ask_and_wait(query(first, ref)) == Approved(ref, captured=False)
        for operation in (Operation.AUTHENTICATE, Operation.PROCESS):
            assert gateway.ask_and_wait(query(later(first, operation, ref), ref)) == NotFound()

    def test_a_capture_or_refund_without_an_answer_is_found_under_its_own_reference(
        self, gateway: LoadedGateway
    ) -> None:
        for operation, captured in ((Operation.CAPTURE, False), (Operation.REFUND, True)):
            charge = request(f"tok_drop_on_{operation}", capture=captured)
            ref = approved_ref(sent(gateway, charge))
            lost, never = later(charge, operation, ref), later(charge, operation, ref)
            assert isinstance(sent(gateway, lost), Unknown)
            assert gateway.ask_and_wait(query(lost)) == Approved(ref)
            assert gateway.ask_and_wait(query(lost, ref)) == Approved(ref)
            assert gateway.ask_and_wait(query(never, ref)) == NotFound()

    def test_a_voided_payment_is_not_charged(self, gateway: LoadedGateway) -> None:
        held = request(capture=False)
        ref = approved_ref(sent(gateway, held))
        sent(gateway, later(held, Operation.VOID, ref))
        assert isinstance(gateway.ask_and_wait(query(held, ref)), Declined)

    def test_an_id_that_the_gateway_never_gave_is_not_found(self, gateway: LoadedGateway) -> None:
        answer = gateway.ask_and_wait(query(request(), "spay_../../x"))
        assert answer == Unknown("look-up answered HTTP 404", kind=UnknownKind.UNREADABLE)
        assert gateway.ask_and_wait(query(request(), "spay_0")) == NotFound()

    def test_a_gateway_that_answers_is_healthy(self, gateway: LoadedGateway) -> None:
        assert gateway.probe().standing is Standing.TAKEN


class TestWebhooks:
    BODY = json.dumps(
        {"id": "sevt_1", "type": "payment.succeeded", "data": {"id": "spay_1", "reference": "r"}}
    ).encode()

    def signed(self, body: bytes, at: float, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
        digest = hmac.new(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256).hexdigest()
        return {"sandbox-signature": f"t={int(at)},v1={digest}"}

    def test_a_signed_event_is_translated(self, gateway: LoadedGateway) -> None:
        (event,) = gateway.parse_webhook(self.signed(self.BODY, time.time()), self.BODY)
        assert (event.event_id, event.reference, event.gateway_ref) == ("sevt_1", "r", "spay_1")

    def test_a_forged_changed_old_or_unsigned_event_is_refused(self, gateway: LoadedGateway) -> None:
        now = time.time()
        for headers, body in (
            (self.signed(self.BODY, now, secret="other"), self.BODY),
            (self.signed(self.BODY, now), self.BODY + b" "),
            (self.signed(self.BODY, now - 301), self.BODY),
            (self.signed(self.BODY, now + 301), self.BODY),
            ({}, self.BODY),
            (self.signed(b"[]", now), b"[]"),
        ):
            with pytest.raises(InvalidWebhook):
                gateway.parse_webhook(headers, body)

    def test_while_a_secret_is_exchanged_either_is_believed(self, sandbox: Sandbox) -> None:
        gateway = adapter_for(sandbox.url, webhook_secrets=("new", "old"))
        for secret in ("new", "old"):
            assert gateway.parse_webhook(self.signed(self.BODY, time.time(), secret), self.BODY)
        with pytest.raises(InvalidWebhook):
            gateway.parse_webhook(self.signed(self.BODY, time.time(), "new,old"), self.BODY)

    def test_without_a_secret_nothing_is_believed(self, sandbox: Sandbox) -> None:
        with pytest.raises(InvalidWebhook):
            adapter_for(sandbox.url, webhook_secrets=()).parse_webhook(
                self.signed(self.BODY, time.time(), secret=""), self.BODY
            )


class TestConfiguration:
    def test_steps_key_lifetime_and_absence_window_come_from_the_options(self) -> None:
        options = {"steps": ["authenticate", "process"], "key_lifetime_s": 0, "absence_window_s": 30}
        capabilities = adapter_for("http://127.0.0.1:1", options=options).capabilities
        assert capabilities.steps == (Operation.AUTHENTICATE, Operation.PROCESS)
        assert (capabilities.key_lifetime_s, capabilities.absence_window_s) == (0, 30)

    @pytest.mark.parametrize(
        "options",
        [{"steps": []}, {"steps": ["initiate"]}, {"steps": ["process", "authenticate"]}, {"surprise": 1}],
    )
    def test_options_that_make_no_sense_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            adapter_for("http://127.0.0.1:1", options=options)
