"""An answer is ours because it says so (design D18): what the adapter makes of answers about something else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.gateway_calls import sent
from support.rewriting_proxy import Exchange, RewritingProxy, as_bytes
from support.sandbox_calls import adapter_for, approved_ref, charged, later, moving, query, request
from support.sandbox_process import API_KEY, Sandbox

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Unknown,
    UnknownKind,
)
from aegis_worker.exchange.loaded import LoadedGateway


def is_mismatch(outcome: object) -> bool:
    return isinstance(outcome, Unknown) and outcome.kind is UnknownKind.MISMATCH


def answers_with(proxy: RewritingProxy, status: int, body: bytes) -> None:
    """From now on every POST is answered with this, whatever the gateway did."""
    proxy.rewrite = lambda exchange: (
        (status, body) if exchange.moves_money else (exchange.status, exchange.body)
    )


def answers_always_with(proxy: RewritingProxy, anothers: Exchange) -> None:
    """From now on everything is answered as that was."""
    proxy.rewrite = lambda exchange: (anothers.status, anothers.body)


def last_answer(proxy: RewritingProxy) -> Exchange:
    return proxy.seen[-1]


class TestAnswersToCalls:
    @pytest.mark.parametrize(
        "token",
        ["tok_ok", "tok_hard_lost_card", "tok_pending_60", "tok_3ds_60", "tok_429_60", "tok_soft_nonsense"],
    )
    def test_anothers_answer_of_the_same_amount_is_neither_a_charge_nor_a_refusal_of_ours(
        self, gateway: LoadedGateway, proxy: RewritingProxy, token: str
    ) -> None:
        assert not is_mismatch(sent(gateway, request(token)))
        anothers = last_answer(proxy)
        answers_with(proxy, anothers.status, anothers.body)
        outcome = sent(gateway, request())
        assert isinstance(outcome, Unknown)
        assert outcome.kind in (UnknownKind.MISMATCH, UnknownKind.RATE_LIMIT)

    def test_a_refused_api_key_of_another_call_is_no_refusal_of_ours(
        self, gateway: LoadedGateway, proxy: RewritingProxy, sandbox: Sandbox
    ) -> None:
        sent(adapter_for(proxy.url, api_key="sk_wrong"), request())
        anothers = last_answer(proxy)
        answers_with(proxy, anothers.status, anothers.body)
        assert is_mismatch(sent(gateway, request()))

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
    def test_a_refusal_that_names_nobody_is_unknown(
        self, gateway: LoadedGateway, proxy: RewritingProxy, sandbox: Sandbox, status: int
    ) -> None:
        answers_with(proxy, status, as_bytes({"error": {"code": "refused", "message": "by a proxy"}}))
        charge = request()
        assert isinstance(sent(gateway, charge), Unknown)
        assert len(sandbox.booked(charge.idempotency_key)) == 1

    def test_429_that_names_nobody_is_not_known_to_have_moved_nothing(
        self, gateway: LoadedGateway, proxy: RewritingProxy
    ) -> None:
        answers_with(proxy, 429, as_bytes({"error": {"code": "rate_limited", "message": ""}}))
        outcome = sent(gateway, request())
        assert isinstance(outcome, Unknown)
        assert outcome.kind is UnknownKind.RATE_LIMIT
        answers_with(proxy, 429, b"<html>")
        outcome = sent(gateway, request())
        assert isinstance(outcome, Unknown)
        assert outcome.kind is UnknownKind.RATE_LIMIT

    @pytest.mark.parametrize(
        "other",
        [
            {"amount": 19990},
            {"amount": 1998},
            {"currency": "EUR"},
            {"amount_captured": 19990},
            {"amount_captured": 0},
            {"reference": "another", "operations": []},
            {"status": "created"},
            {"status": "failed", "last_error": {"code": "lost_card"}},
            {"status": "voided"},
        ],
        ids=json.dumps,
    )
    def test_an_answer_with_other_money_or_another_state_is_unknown(
        self, gateway: LoadedGateway, proxy: RewritingProxy, other: dict[str, Any]
    ) -> None:
        proxy.rewrite = lambda exchange: (exchange.status, as_bytes(exchange.json | other))
        outcome = sent(gateway, request())
        assert is_mismatch(outcome)

    @pytest.mark.parametrize(
        "missing", ["id", "reference", "amount", "currency", "status", "amount_captured", "operations"]
    )
    def test_an_answer_that_lacks_what_the_adapter_declares_is_unknown(
        self, gateway: LoadedGateway, proxy: RewritingProxy, missing: str
    ) -> None:
        def without(exchange: Exchange) -> tuple[int, bytes]:
            return exchange.status, as_bytes({k: v for k, v in exchange.json.items() if k != missing})

        proxy.rewrite = without
        assert isinstance(sent(gateway, request()), Unknown)

    def test_a_decline_beside_a_payment_that_succeeded_is_unknown(
        self, gateway: LoadedGateway, proxy: RewritingProxy
    ) -> None:
        error = {"code": "lost_card", "message": ""}
        proxy.rewrite = lambda exchange: (402, as_bytes({"error": error, "payment": exchange.json}))
        assert is_mismatch(sent(gateway, request()))

    @pytest.mark.parametrize("operation", [Operation.CAPTURE, Operation.VOID, Operation.REFUND])
    def test_a_later_step_is_done_only_by_an_answer_that_shows_it(
        self, gateway: LoadedGateway, proxy: RewritingProxy, operation: Operation
    ) -> None:
        charge = request(capture=operation is Operation.REFUND)
        ref = approved_ref(sent(gateway, charge))
        answer_to_charge = last_answer(proxy)
        assert isinstance(sent(gateway, later(charge, operation, ref)), Approved)
        other = request(capture=operation is Operation.REFUND)
        other_ref = approved_ref(sent(gateway, other))
        assert isinstance(sent(gateway, later(other, operation, other_ref)), Approved)
        for strange in (answer_to_charge, last_answer(proxy)):
            answers_with(proxy, strange.status, strange.body)
            again = moving(later(charge, operation, ref), Money(1, "USD"))
            assert is_mismatch(sent(gateway, again)), strange.path
        proxy.heal()

    def test_anothers_refused_refund_does_not_refuse_ours(
        self, gateway: LoadedGateway, proxy: RewritingProxy
    ) -> None:
        charge = request("tok_hard_fraud_on_refund")
        ref = approved_ref(sent(gateway, charge))
        assert isinstance(sent(gateway, later(charge, Operation.REFUND, ref)), Declined)
        anothers = last_answer(proxy)
        other = request()
        other_ref = approved_ref(sent(gateway, other))
        answers_with(proxy, anothers.status, anothers.body)
        assert is_mismatch(sent(gateway, later(other, Operation.REFUND, other_ref)))

    def test_the_answer_to_an_earlier_step_of_the_same_payment_is_no_charge(
        self, gateway: LoadedGateway, proxy: RewritingProxy
    ) -> None:
        first = request(operation=Operation.AUTHENTICATE)
        ref = approved_ref(sent(gateway, first))
        authenticated = last_answer(proxy)
        answers_with(proxy, authenticated.status, authenticated.body)
        assert is_mismatch(sent(gateway, later(first, Operation.PROCESS, ref)))

    def test_a_replay_under_the_same_key_still_has_to_be_ours(
        self, gateway: LoadedGateway, proxy: RewritingProxy
    ) -> None:
        sent(gateway, request())
        anothers = last_answer(proxy)
        charge = request("tok_drop")
        assert isinstance(sent(gateway, charge), Unknown)
        answers_with(proxy, anothers.status, anothers.body)
        assert is_mismatch(sent(gateway, charge))
        proxy.heal()
        assert isinstance(sent(gateway, charge), Approved)


class TestLookUps:
    def test_a_look_up_that_ignores_the_reference_finds_ours_among_strangers_and_never_a_stranger(
        self, gateway: LoadedGateway, proxy: RewritingProxy, sandbox: Sandbox
    ) -> None:
        strangers = [sandbox.charge().json for _ in range(3)]
        stranger_list = [sandbox.call("GET", f"/v1/payments/{one['id']}").json for one in strangers]

        def unfiltered(exchange: Exchange) -> tuple[int, bytes]:
            if not exchange.is_look_up:
                return exchange.status, exchange.body
            return 200, as_bytes(exchange.json | {"data": stranger_list + exchange.json["data"]})

        proxy.rewrite = unfiltered
        never = request()
        assert is_mismatch(gateway.ask_and_wait(query(never)))
        paid = request()
        ref = approved_ref(sent(gateway, paid))
        assert gateway.ask_and_wait(query(paid)) == charged(ref)
        refused = request("tok_hard_lost_card")
        sent(gateway, refused)
        assert isinstance(gateway.ask_and_wait(query(refused)), Declined)

    def test_the_answer_to_anothers_look_up_is_neither_a_charge_nor_absence(
        self, gateway: LoadedGateway, proxy: RewritingProxy
    ) -> None:
        for about in (request(), request("tok_hard_lost_card")):
            sent(gateway, about)
        never = request()
        for about in (*[request() for _ in range(2)], never):
            gateway.ask_and_wait(query(about))
            anothers = last_answer(proxy)
            answers_always_with(proxy, anothers)
            assert is_mismatch(gateway.ask_and_wait(query(request())))
            proxy.heal()

    def test_an_empty_list_and_a_404_that_name_nobody_are_no_absence(
        self, gateway: LoadedGateway, proxy: RewritingProxy
    ) -> None:
        about = request()
        proxy.rewrite = lambda exchange: (200, as_bytes({"data": []}))
        assert isinstance(gateway.ask_and_wait(query(about)), Unknown)
        proxy.rewrite = lambda exchange: (404, as_bytes({"error": {"code": "not_found", "message": ""}}))
        assert isinstance(gateway.ask_and_wait(query(about, "spay_1")), Unknown)
        proxy.rewrite = lambda exchange: (
            404,
            as_bytes({"error": {"code": "not_found", "message": ""}, "payment_id": "spay_2"}),
        )
        assert is_mismatch(gateway.ask_and_wait(query(about, "spay_1")))

    def test_a_look_up_by_id_must_show_that_id_and_our_reference(
        self, gateway: LoadedGateway, proxy: RewritingProxy
    ) -> None:
        ours, other = request(), request()
        ref, other_ref = (approved_ref(sent(gateway, about)) for about in (ours, other))
        proxy.path = lambda method, path: path.replace(ref, other_ref)
        assert is_mismatch(gateway.ask_and_wait(query(ours, ref)))
        proxy.heal()
        # The id of another's payment stands on ours since before answers were checked.
        assert is_mismatch(gateway.ask_and_wait(query(ours, other_ref)))
        assert gateway.ask_and_wait(query(ours, ref)) == charged(ref)

    @pytest.mark.parametrize("by_id", [True, False])
    @pytest.mark.parametrize("other", [{"amount": 19990}, {"currency": "EUR"}], ids=json.dumps)
    def test_a_look_up_that_shows_other_money_is_unknown_and_says_what_it_found(
        self, gateway: LoadedGateway, proxy: RewritingProxy, by_id: bool, other: dict[str, Any]
    ) -> None:
        ours = request()
        ref = approved_ref(sent(gateway, ours))

        def changed(exchange: Exchange) -> tuple[int, bytes]:
            body = exchange.json
            body = body | other if by_id else body | {"data": [body["data"][0] | other]}
            return exchange.status, as_bytes(body)

        proxy.rewrite = changed
        outcome = gateway.ask_and_wait(query(ours, ref)) if by_id else gateway.ask_and_wait(query(ours))
        assert is_mismatch(outcome)
        assert isinstance(outcome, Unknown)
        assert str(next(iter(other.values()))) in outcome.reason
        assert "1999 USD" in outcome.reason

    def test_a_refund_found_under_our_reference_must_be_of_our_amount(self, gateway: LoadedGateway) -> None:
        charge = request()
        ref = approved_ref(sent(gateway, charge))
        refund = later(charge, Operation.REFUND, ref, 500)
        assert sent(gateway, refund) == Approved(ref)
        assert gateway.ask_and_wait(query(refund, ref)) == Approved(ref)
        assert is_mismatch(gateway.ask_and_wait(query(moving(refund, Money(501, "USD")), ref)))
        assert gateway.ask_and_wait(query(later(charge, Operation.REFUND, ref), ref)) == NotFound()


def test_what_the_sandbox_itself_answers_is_ours_in_every_way_that_a_call_can_end(sandbox: Sandbox) -> None:
    """Refusals name our reference, so that they count: no answer of the gateway itself is a mismatch."""
    gateway = adapter_for(sandbox.url)
    assert isinstance(sent(gateway, request("tok_429_60")), NotSent)
    assert isinstance(sent(gateway, request("tok_soft_nonsense")), Declined)
    assert isinstance(sent(adapter_for(sandbox.url, api_key=API_KEY + "x"), request()), Declined)
    failed = request("tok_hard_fraud_on_authenticate", Operation.AUTHENTICATE)
    declined = sent(gateway, failed)
    assert isinstance(declined, Declined)
    charge = later(failed, Operation.PROCESS, declined.gateway_ref or "")
    again = sent(gateway, charge)
    assert isinstance(again, Declined)
    assert again.code == "suspected_fraud"
    gateway.close_connections()
