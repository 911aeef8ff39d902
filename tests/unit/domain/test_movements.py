"""What a gateway shows of a charge, held against what we know of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.plain_payment import a_payment

from aegis_worker.domain.entities import Entity, EntityKind, EntityStatus, Order
from aegis_worker.domain.movements import News, news_of
from aegis_worker.domain.outcomes import Approved, Declined, Movement, Operation
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.transitions import State

REFUND, CAPTURE = Operation.REFUND, Operation.CAPTURE
PAID = replace(
    a_payment(),
    state=State.SUCCESS,
    version=3,
    gateway="a",
    gateway_ref="ch_1",
    authorized_minor=1999,
    captured_minor=1999,
)
HELD = replace(PAID, state=State.AUTHORIZED, captured_minor=0)
KEY = f"{PAID.id}b101"


def ours(status: EntityStatus, kind: EntityKind = EntityKind.REFUND, minor: int = 500) -> Entity:
    return Entity(Order(kind, f"{kind}_1", 1, minor), PAID.id, "USD", status, "a", "ch_1")


def news(payment: Payment, *movements: Movement, known: tuple[Entity, ...] = (), held: bool = False) -> News:
    found = Approved("ch_1", True, movements=movements, still_held=held)
    return news_of(payment, known, found, lambda kind, name: f"{kind}_new")


def told(found: News) -> list[str]:
    return [fact.type.value for fact in found.facts]


@pytest.mark.parametrize("status", list(EntityStatus))
def test_what_a_gateway_does_not_show_undoes_nothing(status: EntityStatus) -> None:
    assert news(PAID, known=(ours(status),)) == News()


def test_what_still_shows_as_pending_undoes_no_success() -> None:
    known = (ours(EntityStatus.SUCCEEDED),)
    assert news(PAID, Movement(REFUND, 500, "pending", KEY), known=known) == News()


def test_a_success_that_failed_is_undone_late() -> None:
    found = news(PAID, Movement(REFUND, 500, "failed", KEY, code="x"), known=(ours(EntityStatus.SUCCEEDED),))
    (fact,) = found.facts
    assert (told(found), fact.data["late"]) == (["REFUND_FAILED"], True)
    assert [change.status for change in found.changes] == [EntityStatus.FAILED]


def test_ours_that_is_pending_is_left_to_its_own_job() -> None:
    found = news(PAID, Movement(REFUND, 500, "succeeded", KEY), known=(ours(EntityStatus.PENDING),))
    assert (found.facts, found.changes[0].check_in_s) == ((), 0.0)


def test_ours_with_another_amount_is_a_persons() -> None:
    found = news(PAID, Movement(REFUND, 400, "succeeded", KEY), known=(ours(EntityStatus.SUCCEEDED),))
    assert (found.facts, found.problem) == ((), "a shows 400 of refund_1, ours is 500")


def test_a_key_of_ours_that_nobody_ordered_is_a_persons() -> None:
    found = news(PAID, Movement(REFUND, 500, "succeeded", f"{PAID.id}b107"))
    assert found.problem is not None
    assert found.changes == ()


def test_a_refund_that_failed_in_the_dashboard_is_none() -> None:
    assert news(PAID, Movement(REFUND, 500, "failed", gateway_ref="re_1")) == News()


def test_more_than_was_captured_can_be_told() -> None:
    found = news(PAID, Movement(REFUND, 5000, gateway_ref="re_1"))
    payment, _ = PAID.record(found.facts)
    assert (payment.refunded_minor, payment.refundable_minor) == (5000, 0)


def test_a_sum_without_names_grows_by_what_is_not_known_yet() -> None:
    first = news(HELD, Movement(CAPTURE, 300), held=True)
    order = first.changes[0].order
    known = Entity(order, PAID.id, "USD", EntityStatus.SUCCEEDED, "a", None)
    again = news(HELD, Movement(CAPTURE, 300), known=(known,), held=True)
    more = news(HELD, Movement(CAPTURE, 800), known=(known,), held=True)
    assert (order.amount_minor, again, more.changes[0].order.amount_minor) == (300, News(), 500)


def test_a_released_hold_is_cancelled_unless_our_own_void_may_have_done_it() -> None:
    gone = Declined("generic_decline", "voided", released=True)
    found = news_of(HELD, (), gone, lambda kind, name: f"{kind}_new")
    assert told(found) == ["PAYMENT_CANCELLED"]
    void = ours(EntityStatus.PENDING, EntityKind.VOID, 1999)
    found = news_of(HELD, (void,), gone, lambda kind, name: f"{kind}_new")
    assert (told(found), found.changes[0].check_in_s) == ([], 0.0)


def test_what_was_ordered_once_and_done_twice_is_a_persons() -> None:
    known = (ours(EntityStatus.SUCCEEDED),)
    first = Movement(REFUND, 500, "succeeded", KEY, "re_1")
    assert news(PAID, first, replace(first, status="failed", gateway_ref="re_2"), known=known).problem is None
    second = replace(first, gateway_ref="re_2")
    assert (
        news(PAID, first, second, known=known).problem
        == f"a has done more than once what was ordered as {KEY}"
    )
