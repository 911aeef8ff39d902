"""Erasing a customer: what is known of the person goes, what happened to the money stays, and nothing is sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.erasing import NOTHING_ERASED, erase
from support.outbox_events import execute
from support.payments import (
    accept_one,
    attempts_of,
    events_of,
    last_error_of,
    let_pass,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.audit.run import AuditParts, audit_all
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.gateway_events import ClaimedEvent, Followed
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import ActionRequired, Declined, NotFound, Outcome, Pending, Unknown
from aegis_worker.domain.payer import FIELDS
from aegis_worker.domain.transitions import State
from aegis_worker.errors import InvalidReason, VaultUnavailable
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.database import Database

ASHA = {"email": "asha@shop.example", "ip": "203.0.113.7"}
CUSTOMER = {"id": "cus_117", "email": "asha@shop.example", "name": "Asha Rao", "country": "IN"}
WRITTEN: dict[str, Any] = {
    "description": "for Asha Rao",
    "return_url": "https://shop.example/return?mail=asha@shop.example",
    "metadata": {"mail": "asha@shop.example"},
    "order_lines": [{"name": "engraved: Asha", "quantity": 1, "unit_amount": 1999}],
    "mandate": "mandate_of_asha",
}


def accepted(database: Database, key: str = "key-1", **terms: Any) -> str:
    given = {"payer": ASHA, "customer": CUSTOMER, **terms}
    return accept_one(database, key, **given).payment.id


def takes_payer(*answers: Outcome) -> ScriptedGateway:
    return ScriptedGateway("a", answering(*answers) if answers else None, payer=FIELDS)


def test_of_one_customer_everything_goes_in_both_modes_and_of_no_other(database: Database) -> None:
    mine = [accepted(database, f"k{n}", **WRITTEN) for n in range(3)]
    others = [
        accepted(database, "other", customer={**CUSTOMER, "id": "cus_118"}, **WRITTEN),
        accepted(database, "theirs", merchant_id="m_2", **WRITTEN),
    ]
    execute(database, "UPDATE payments SET mode = 'live' WHERE id = %(id)s", id=mine[0])
    told_before = [events_of(database, payment_id) for payment_id in mine]
    erased = erase(database, limit=2)
    assert (erased.counts, erased.complete) == (
        NOTHING_ERASED | {"payments": 3, "payer_details": 3},
        True,
    )
    left = rows(database, "SELECT payment_id FROM payer_details ORDER BY 1")
    assert [row["payment_id"] for row in left] == sorted(others)
    for payment_id in mine:
        terms = payment_of(database, payment_id).terms
        assert terms.customer == {"id": "cus_117", "country": "IN", "erased": True}
        assert terms.payment_method == {"type": "card"}
        assert [getattr(terms, name) or None for name in WRITTEN] == [None] * len(WRITTEN)
        assert terms.amount.minor == 1999
    assert payment_of(database, others[1]).customer == CUSTOMER
    assert [events_of(database, payment_id) for payment_id in mine] == told_before
    assert erase(database).counts == NOTHING_ERASED, "a second time nothing is left to do"


def test_the_audit_log_keeps_who_began_it_and_why_before_anything_is_erased(database: Database) -> None:
    accepted(database)

    def unreachable(owner: Owner, customer_id: str) -> int:
        raise VaultUnavailable("the vault's Redis does not answer")

    with pytest.raises(VaultUnavailable):
        erase(database, destroy=unreachable)
    about = {"merchant_id": "m_1", "customer_id": "cus_117", "reason": "asked for it"}
    (begun,) = rows(database, "SELECT actor, action, details FROM audit_log")
    assert begun == {"actor": "cli:night", "action": "customer.erasing", "details": about}
    assert len(rows(database, "SELECT FROM payer_details")) == 1
    erase(database, destroy=lambda owner, customer_id: 2 if owner.mode == "live" else 1)
    *_, done = rows(database, "SELECT action, details FROM audit_log ORDER BY seq")
    assert (done["action"], done["details"]["cards"], done["details"]["complete"]) == (
        "customer.erased",
        3,
        True,
    )
    with pytest.raises(InvalidReason):
        erase(database, reason="")


def test_what_does_not_fit_into_its_time_is_erased_by_the_next_call(database: Database) -> None:
    accepted(database)
    assert not erase(database, budget_s=0).complete
    assert len(rows(database, "SELECT FROM payer_details")) == 1
    assert erase(database).complete


def test_what_is_erased_is_not_sent_again_where_the_call_would_be_repeated(database: Database) -> None:
    gateway = takes_payer(Unknown("read timeout"))
    gateway.look_up = answering(NotFound())
    payment_id = accepted(database)
    parts = pipeline(database, gateway)
    run_until_quiet(parts)
    calls = len(gateway.calls)
    assert calls >= 1
    erase(database)
    for _ in range(6):
        let_pass(database, 121)
        run_until_quiet(parts)
    assert gateway.calls[calls:] == []
    assert payment_of(database, payment_id).state is State.FAILURE
    assert story_of(database, payment_id)[-1] == "FAILED"


@pytest.mark.parametrize("more", [{}, {"scheduled_at": datetime.now(UTC) + timedelta(days=3)}])
def test_a_payment_that_was_not_sent_yet_fails_and_says_why(database: Database, more: dict[str, Any]) -> None:
    gateway = takes_payer()
    payment_id = accepted(database, **more)
    erase(database)
    execute(database, "UPDATE jobs SET run_at = now()")
    run_until_quiet(pipeline(database, gateway))
    payment = payment_of(database, payment_id)
    assert (gateway.calls, payment.state) == ([], State.FAILURE)
    assert last_error_of(payment)["code"] == "payer_erased"


def test_what_a_gateway_decides_later_is_still_heard(database: Database) -> None:
    gateway = takes_payer(Pending("ch_1"))
    payment_id = accepted(database)
    parts = pipeline(database, gateway)
    run_until_quiet(parts)
    erase(database)
    gateway.charges[gateway.calls[0].idempotency_key] = "ch_1"
    for _ in range(3):
        let_pass(database, 121)
        run_until_quiet(parts)
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert len(gateway.calls) == 1


def test_a_payer_who_was_to_act_can_pay_no_more_and_what_they_were_to_do_is_gone(database: Database) -> None:
    gateway = takes_payer(ActionRequired("ch_1", Redirect("https://bank.example/asha")))
    gateway.look_up = answering(ActionRequired("ch_1", Redirect("https://bank.example/asha")))
    payment_id = accepted(database)
    parts = pipeline(database, gateway)
    run_until_quiet(parts)
    assert payment_of(database, payment_id).state is State.REQUIRES_ACTION
    assert erase(database).counts["actions"] == 1
    for _ in range(3):
        let_pass(database, 121)
        run_until_quiet(parts)
    payment = payment_of(database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "payer_erased")
    assert gateway.closed, "what could still be paid is cancelled there"


def test_a_payment_that_has_ended_stays_as_its_events_have_it_and_the_audit_is_clean(
    database: Database,
) -> None:
    payment_id = accepted(database)
    run_until_quiet(pipeline(database, takes_payer(Declined("stolen_card", "43", "stolen"))))
    before = payment_of(database, payment_id)
    assert before.is_terminal
    erase(database)
    after = payment_of(database, payment_id)
    assert (after.state, after.version) == (before.state, before.version)
    assert len(attempts_of(database, payment_id)) == 1
    assert story_of(database, payment_id)[-1] == "FAILED"
    bounds = Bounds(overdue_after_s=30, undelivered_after_s=3600, settles_after_s=0)
    report = audit_all(AuditParts(database, {}, bounds, batch=10, budget_s=60.0))
    assert (report.payments, report.violations) == (1, [])


def test_what_gateways_wrote_of_their_payments_goes_and_what_they_write_later_is_not_kept(
    database: Database,
) -> None:
    payments = [accepted(database, key, customer={"id": key}) for key in ("cus_117", "cus_118")]
    for number, (payment_id, status) in enumerate(
        (payment_id, status) for payment_id in payments for status in ("followed", "waiting", "unmatched")
    ):
        told_by_gateway(database, f"b{number}", payment_id, status)
    assert erase(database).counts["event_bodies"] == 3
    assert len(rows(database, "SELECT FROM gateway_event_bodies")) == 3
    assert len(rows(database, "SELECT FROM gateway_events")) == 6
    told_by_gateway(database, "late", None, "waiting")
    claimed = database.run(lambda connection: gateway_event_rows.claim(connection, limit=10))
    late: ClaimedEvent = next(event for event in claimed if event.event_id == "late")
    followed = Followed(late, "followed", payment_id=payments[0])
    assert database.run(lambda connection: gateway_event_rows.settle(connection, [followed])) == 1
    assert rows(database, "SELECT FROM gateway_event_bodies WHERE id = 'late'") == []


def told_by_gateway(database: Database, name: str, payment_id: str | None, status: str) -> None:
    execute(
        database,
        "INSERT INTO gateway_event_bodies (id, gateway, key_id, sealed) VALUES (%(name)s, 'a', 'k', '')",
        name=name,
    )
    execute(
        database,
        """
        INSERT INTO gateway_events
            (gateway, provider_event_id, kind, payment_id, status, due_at, waits_until, body_id)
        VALUES ('a', %(name)s, 'payment.succeeded', %(payment_id)s, %(status)s, %(due)s, now(), %(name)s)
        """,
        name=name,
        payment_id=payment_id,
        status=status,
        due="now" if status == "waiting" else None,
    )


def test_what_an_endpoint_answered_is_gone_and_the_tries_are_still_counted(database: Database) -> None:
    payment_id = accepted(database)
    execute(
        database,
        """
        INSERT INTO webhook_deliveries (id, payment_id, seq, endpoint_id, merchant_id, status, tries, log)
        VALUES ('whd_1', %(id)s, 1, 'whe_1', 'm_1', 'dead', 2, %(log)s::jsonb)
        """,
        id=payment_id,
        log='[{"at": "2026-11-27T16:00:00Z", "status_code": 500, "error": "HTTP 500: no such user asha@shop.example"},'
        ' {"at": "2026-11-27T16:01:00Z", "status_code": 200, "error": null}]',
    )
    assert erase(database).counts["endpoint_answers"] == 1
    (delivery,) = rows(database, "SELECT log, tries FROM webhook_deliveries")
    assert [entry["error"] for entry in delivery["log"]] == ["HTTP 500", None]
    assert erase(database).counts["endpoint_answers"] == 0
