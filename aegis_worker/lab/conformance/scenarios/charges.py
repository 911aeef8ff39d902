"""A charge at every gateway: how it ends, and what is known of it when its answer is lost, late or nonsense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.actions import Redirect, Sdk
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.kit.probing import Standing
from aegis_worker.lab.embedded.ports import free_port

from ..subject import Paid
from ..till import Till, is_heard_of, sent

_SHOP = "https://shop.test/back"


def test_approved(till: Till) -> None:
    paid = till.pay()
    assert isinstance(paid.outcome, Approved)
    assert paid.outcome.captured
    assert till.captured(paid) == [1999]


def test_declined_for_good(till: Till) -> None:
    paid = till.pay("tok_hard_stolen_card")
    assert isinstance(paid.outcome, Declined)
    assert paid.outcome.code == till.word("stolen_card")
    assert till.captured(paid) == []


def test_declined_for_now(till: Till) -> None:
    paid = till.pay("tok_soft_insufficient_funds")
    assert isinstance(paid.outcome, Declined)
    assert paid.outcome.code == "insufficient_funds"


def test_a_decline_is_found_by_a_look_up(till: Till) -> None:
    paid = till.pay("tok_hard_lost_card")
    found = till.ask(paid)
    assert isinstance(found, Declined)
    assert found.code == till.found_code("lost_card")


def test_three_d_secure_by_redirect(till: Till) -> None:
    paid = till.pay("tok_3ds_1", return_url=_SHOP)
    assert isinstance(paid.outcome, ActionRequired)
    assert isinstance(paid.outcome.action, Redirect)
    assert paid.outcome.action.url.startswith(till.emulator.url)
    assert till.captured(paid) == []
    till.settled(paid, Approved)
    assert till.captured(paid) == [1999]


def test_three_d_secure_in_the_shops_page(till: Till) -> None:
    paid = till.pay(till.subject.page_token)
    assert isinstance(paid.outcome, ActionRequired)
    assert isinstance(paid.outcome.action, Sdk)
    assert paid.outcome.action.sdk == till.subject.name
    assert paid.outcome.action.data[till.subject.page_secret]
    assert not isinstance(till.ask(paid), Approved | Declined | NotFound)
    assert till.captured(paid) == []


def test_what_the_payer_brought_back(till: Till) -> None:
    paid = till.pay(till.subject.page_token)
    confirmed = till.confirm(paid, till.subject.brought_back(till.emulator, _action_data(paid)))
    assert isinstance(confirmed.outcome, Approved)
    assert isinstance(till.again(confirmed), Approved)
    till.settled(paid, Approved)
    assert till.captured(paid) == [1999]


def test_a_confirm_with_nonsense(till: Till) -> None:
    paid = till.pay(till.subject.page_token)
    assert isinstance(till.confirm(paid, {"challenge_result": "nonsense"}).outcome, Declined)
    assert till.captured(paid) == []


def _action_data(paid: Paid) -> Mapping[str, Any]:
    assert isinstance(paid.outcome, ActionRequired)
    assert isinstance(paid.outcome.action, Sdk)
    return paid.outcome.action.data


def test_three_d_secure_failed(till: Till) -> None:
    paid = till.pay("tok_3ds_fail_1", return_url=_SHOP)
    assert isinstance(paid.outcome, ActionRequired)
    found = till.settled(paid, Declined)
    assert isinstance(found, Declined)
    assert found.code == till.found_code("authentication_failed")


def test_three_d_secure_that_we_demand(till: Till) -> None:
    paid = till.pay(return_url=_SHOP, three_ds=True)
    assert isinstance(paid.outcome, ActionRequired)
    assert isinstance(till.again(paid), ActionRequired)
    assert till.captured(paid) == []


def test_a_charge_after_three_d_secure_that_we_demanded(till: Till) -> None:
    paid = till.pay(return_url=_SHOP, three_ds=True)
    assert isinstance(paid.outcome, ActionRequired)
    assert isinstance(paid.outcome.action, Redirect)
    till.payer_passes(paid.outcome.action.url)
    till.settled(paid, Approved)
    assert till.captured(paid) == [1999]


def test_three_d_secure_that_we_demand_and_the_page_has_done(till: Till) -> None:
    assert isinstance(till.pay("tok_3ds_frictionless", three_ds=True).outcome, Approved)
    paid = till.pay(three_ds=True)
    assert isinstance(paid.outcome, Declined)
    assert paid.outcome.code == "authentication_required"
    assert till.captured(paid) == []


def test_three_d_secure_abandoned_and_the_door_closed(till: Till) -> None:
    paid = till.pay("tok_3ds_120", return_url=_SHOP)
    assert isinstance(till.ask(paid), ActionRequired)
    closed = till.close(paid)
    assert isinstance(closed.outcome, Approved)
    assert isinstance(till.again(closed), Approved)
    assert isinstance(till.ask(closed), Approved)
    assert isinstance(till.ask(paid), Declined)
    assert till.captured(paid) == []


def test_a_payer_who_comes_after_the_door_was_closed(till: Till) -> None:
    paid = till.pay("tok_3ds_120", return_url=_SHOP)
    assert isinstance(paid.outcome, ActionRequired)
    assert isinstance(paid.outcome.action, Redirect)
    assert isinstance(till.close(paid).outcome, Approved)
    till.payer_passes(paid.outcome.action.url)
    assert isinstance(till.ask(paid), Declined)
    assert till.captured(paid) == []


def test_a_late_success_while_the_door_is_closed(till: Till) -> None:
    paid = till.pay("tok_3ds_1", return_url=_SHOP)
    till.settled(paid, Approved)
    closed = till.close(paid)
    assert isinstance(closed.outcome, Declined)
    assert not isinstance(till.ask(closed), Approved)
    assert isinstance(till.ask(paid), Approved)
    assert till.captured(paid) == [1999]


def test_a_charge_after_the_door_was_closed(till: Till) -> None:
    """A worker that was frozen before its call wakes up."""
    begun = till.begin()
    assert isinstance(till.close(begun).outcome, Approved)
    assert not isinstance(till.charge(begun).outcome, Approved | Pending)
    assert till.captured(begun) == []


def test_three_d_secure_without_the_payer(till: Till) -> None:
    paid = till.pay("tok_3ds_1", off_session=True)
    assert isinstance(paid.outcome, Declined)
    assert paid.outcome.code == "authentication_required"


def test_pending_then_success(till: Till) -> None:
    paid = till.pay("tok_pending_1")
    assert isinstance(paid.outcome, Pending)
    till.settled(paid, Approved)
    assert till.captured(paid) == [1999]


def test_pending_then_failure(till: Till) -> None:
    paid = till.pay("tok_pending_fail_1")
    assert isinstance(paid.outcome, Pending)
    found = till.settled(paid, Declined)
    assert isinstance(found, Declined)
    assert found.code == till.found_code("issuer_unavailable")


def test_refused_connection(till: Till) -> None:
    nobody = till.subject.adapter(till.subject.config(f"http://127.0.0.1:{free_port()}"))
    paid = till.pay()
    first = replace(paid.request, operation=till.gateway.capabilities.steps[0], gateway_ref=None)
    assert isinstance(sent(LoadedGateway(nobody), first), NotSent)


def test_dropped_before_the_charge(till: Till) -> None:
    paid = till.pay("tok_drop_nocharge_once")
    assert isinstance(paid.outcome, Unknown)
    assert not is_heard_of(till.ask(paid))
    assert isinstance(till.again(paid), Approved)
    assert till.captured(paid) == [1999]


def test_dropped_after_the_charge(till: Till) -> None:
    paid = till.pay("tok_drop")
    assert isinstance(paid.outcome, Unknown)
    assert isinstance(till.ask(paid), Approved)
    assert till.captured(paid) == [1999]


def test_answered_too_late(till: Till) -> None:
    paid = till.waiting_at_most(0.5).pay("tok_latency_1500")
    assert isinstance(paid.outcome, Unknown)
    assert paid.outcome.kind is UnknownKind.ANSWER_TIMEOUT
    assert isinstance(till.ask(paid), Approved)


def test_out_of_order(till: Till) -> None:
    till.emulator.set_faults(refuse_all=True)
    paid = till.pay()
    assert isinstance(paid.outcome, Unknown)
    assert (paid.outcome.kind, paid.outcome.stored) == (UnknownKind.HTTP_5XX, False)
    assert not isinstance(till.ask(paid), Approved | Declined)


def test_a_500_that_may_be_stored(till: Till) -> None:
    paid = till.pay("tok_500")
    assert isinstance(paid.outcome, Unknown)
    assert paid.outcome.stored
    assert isinstance(till.ask(paid), Approved)
    assert till.captured(paid) == [1999]


def test_too_many_calls(till: Till) -> None:
    paid = till.pay("tok_429_7")
    assert paid.outcome == replace(paid.outcome, retry_after_s=7.0, kind=NotSentKind.RATE_LIMIT)
    assert isinstance(till.again(paid), Approved)


def test_a_malformed_answer(till: Till) -> None:
    paid = till.pay("tok_garbage")
    assert isinstance(paid.outcome, Unknown)
    assert paid.outcome.kind is UnknownKind.UNREADABLE
    assert isinstance(till.ask(paid), Approved)


def test_the_same_key_again(till: Till) -> None:
    paid = till.pay()
    again = till.again(paid)
    assert isinstance(again, Approved)
    assert again.gateway_ref == paid.ref
    assert till.captured(paid) == [1999]


def test_another_body_under_the_key(till: Till) -> None:
    paid = till.pay()
    first = till.gateway.capabilities.steps[0]
    key = f"{paid.request.payment_id}-{first.value[0]}1"
    other = replace(paid.request.terms, amount=Money(5, "USD"))
    call = replace(paid.request, operation=first, idempotency_key=key, terms=other, gateway_ref=None)
    assert isinstance(sent(till.gateway, call), Unknown)
    assert till.captured(paid) == [1999]


def test_a_saved_card_with_its_customer(till: Till) -> None:
    assert till.subject.saved_card is not None
    paid = till.pay(till.subject.saved_card(till.emulator))
    assert isinstance(paid.outcome, Approved)
    assert till.captured(paid) == [1999]


def test_a_token_of_the_shops_page_that_comes_with_the_confirmation(till: Till) -> None:
    paid = till.pay(till.subject.page_made)
    assert isinstance(paid.outcome, Approved)
    assert till.captured(paid) == [1999]


def test_an_unknown_token(till: Till) -> None:
    paid = till.pay("tok_soft_no_such_script")
    assert isinstance(paid.outcome, Declined)
    assert paid.outcome.code in ("invalid_token", "invalid_request")


def test_a_wrong_key(till: Till) -> None:
    stranger = Till(till.subject, till.emulator, till.shop, api_key="sk_test_wrong")
    paid = stranger.pay()
    assert isinstance(paid.outcome, Declined)
    assert paid.outcome.code == "gateway_misconfigured"


def test_a_probe(till: Till) -> None:
    probed = till.gateway.probe()
    assert probed.standing is Standing.TAKEN
    # Both run on this machine.
    assert probed.clock_ahead_s is not None
    assert abs(probed.clock_ahead_s) < 30
