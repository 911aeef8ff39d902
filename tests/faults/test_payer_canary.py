"""What is known of a payer is sent down the whole way of a payment, and is then found in one table only (D17)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from redis import Redis
from support.api_client import start_api
from support.card_canary import dump
from support.erasing import erase
from support.merchant_server import Sink, a_sink, answers
from support.outbox_events import execute, in_stream, make_due, settings_with
from support.payments import A_RING, let_pass, pipeline, rows, run_until_quiet, story_of
from support.scripted_gateway import ScriptedGateway, answering
from support.vaults import VaultStores, a_card, emptied

from aegis_worker.audit.run import AuditParts, audit_all
from aegis_worker.audit.violations import Bounds
from aegis_worker.delivery.drain import drain
from aegis_worker.delivery.stream import EventStream
from aegis_worker.delivery.webhooks.deliver import deliver_due
from aegis_worker.delivery.webhooks.endpoints import create_endpoint, redeliver
from aegis_worker.delivery.webhooks.fan_out import WebhookFanOut
from aegis_worker.delivery.webhooks.sender import HttpSender
from aegis_worker.domain.gateway_events import NewEvent
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Declined, NotFound, Unknown
from aegis_worker.domain.payer import FIELDS
from aegis_worker.ids import event_id
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.database import Database
from aegis_worker.vault.vault import TokenRequest

CANARIES = (
    "canary@shop.example",
    "+918041234599",
    "203.0.113.211",
    "CanaryBrowser",
    "12 Canary Road",
    "Asha Canary",
)
PAYER: dict[str, Any] = {
    "email": CANARIES[0],
    "phone": CANARIES[1],
    "ip": CANARIES[2],
    "browser": {"user_agent": CANARIES[3]},
    "billing_address": {"line1": CANARIES[4], "name": CANARIES[5], "country": "IN"},
    "shipping_address": {"line1": CANARIES[4], "country": "IN"},
}
_ROWS_OF_PAYERS = re.compile(r"^INSERT INTO public\.payer_details .*$", re.MULTILINE)


def found_in(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def raises(request: Any) -> Any:
    raise RuntimeError(f"an adapter's mistake about {request}")


@pytest.mark.row(61)
def test_what_is_known_of_a_payer_is_in_its_table_alone_and_nowhere_once_it_is_erased(
    database_url: str, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = start_api(database_url).merchant("m_1")
    lost = ScriptedGateway("a", answering(Unknown("read timeout")), payer=FIELDS)
    lost.look_up = answering(NotFound())
    declines = ScriptedGateway("a", answering(Declined("stolen_card", "43", "stolen")), payer=FIELDS)
    answers = []
    for number, gateway in enumerate((ScriptedGateway("a", payer=FIELDS), lost, declines)):
        posted = shop.post_payment(payer=PAYER, customer={"id": "cus_117"}, reference=f"order-{number}")
        parts = pipeline(database, gateway)
        run_until_quiet(parts)
        let_pass(database, 30)
        run_until_quiet(parts)
        path = posted.json["links"]["self"]
        answers += [posted, *(shop.get(f"{path}{more}") for more in ("", "/events", "/attempts", "/explain"))]
        assert gateway.calls
        assert gateway.calls[0].payer is not None
    answers.append(shop.post_payment(payer={**PAYER, "age": 1}))
    for answer in answers:
        assert found_in(answer.text + str(answer.headers)) == []
    kept = dump(database_url)
    assert len(_ROWS_OF_PAYERS.findall(kept)) == 3
    assert found_in(_ROWS_OF_PAYERS.sub("", kept)) == []
    assert erase(database).counts["payer_details"] == 3
    assert found_in(dump(database_url)) == []
    printed = capfd.readouterr()
    assert found_in(printed.out + printed.err) == []


@pytest.mark.row(61)
def test_an_error_that_names_the_call_shows_no_more_of_the_payer_than_the_names_of_its_fields(
    database_url: str, database: Database
) -> None:
    start_api(database_url).merchant().post_payment(payer=PAYER)
    with pytest.raises(RuntimeError) as raised:
        run_until_quiet(pipeline(database, ScriptedGateway("a", raises, payer=FIELDS)))
    assert "Payer(billing_address, browser, email" in str(raised.value)
    assert found_in(str(raised.value)) == []


WRITTEN: dict[str, Any] = {
    "customer": {"id": "cus_117", "email": CANARIES[0], "name": CANARIES[5], "country": "IN"},
    "payer": PAYER,
    "description": f"for {CANARIES[5]}",
    "metadata": {"mail": CANARIES[0]},
    "return_url": f"https://shop.example/return?ip={CANARIES[2]}",
    "order_lines": [{"name": f"delivered to {CANARIES[4]}", "quantity": 1, "unit_amount": 1999}],
}
SHOP = Owner("m_1", "test")


def tell_everybody(database: Database, redis_url: str, sender: HttpSender) -> None:
    """Events to the stream and to endpoints, as a worker does."""
    with Redis.from_url(redis_url) as redis:
        make_due(database, "outbox")
        drain(database, [EventStream(redis, maxlen=1000), WebhookFanOut()], limit=100, lease_s=30.0)
    make_due(database, "webhook_deliveries")
    deliver_due(database, sender, settings_with(webhook_allow_private=True), limit=64, lease_s=30.0)


def told_by_a_gateway(database: Database, payment_id: str) -> None:
    """An event about the payment, in a body that says more than it has to."""
    event = NewEvent("evt_1", "payment.succeeded", None, "ch_1", None, "waiting")
    body = f'{{"id": "evt_1", "receipt_email": "{CANARIES[0]}"}}'.encode()
    database.run(
        lambda connection: gateway_event_rows.keep(
            connection, A_RING, gateway="a", account=None, events=[event], body=body
        )
    )
    execute(database, "UPDATE gateway_events SET payment_id = %(id)s", id=payment_id)


def body_of_event(database: Database) -> bytes | None:
    return database.run(lambda connection: gateway_event_rows.body_of(connection, A_RING, "a", "evt_1"))


@pytest.fixture
def sink() -> Any:
    with a_sink() as running:
        yield running


@pytest.mark.row(61)
def test_once_a_customer_is_erased_nothing_of_the_person_is_left_and_nothing_is_told_again(
    database_url: str,
    database: Database,
    redis_url: str,
    vault_stores: VaultStores,
    sink: Sink,
    capfd: pytest.CaptureFixture[str],
) -> None:
    shop = start_api(database_url).merchant("m_1")
    create_endpoint(database, settings_with(webhook_allow_private=True), SHOP, sink.url(), [])
    sink.otherwise["/hooks"] = answers(500, f"no such user {CANARIES[0]}".encode())
    sender = HttpSender(timeout_s=10.0, allow_private=True)
    posted = shop.post_payment(**WRITTEN, key="order-1")
    payment_id = posted.json["id"]
    run_until_quiet(pipeline(database, ScriptedGateway("a", payer=FIELDS)))
    told_by_a_gateway(database, payment_id)
    tell_everybody(database, redis_url, sender)
    assert set(found_in(dump(database_url))) == set(CANARIES), "there is something to be erased"
    assert CANARIES[0].encode() in (body_of_event(database) or b"")
    with emptied(vault_stores) as vault:
        kept = vault.vaulted(SHOP, a_card(), kept=True)
        vault.make(SHOP, kept, a_card(), TokenRequest("key", b"h", customer_id="cus_117"))
        erased = erase(database, destroy=vault.destroy_all)
        assert vault.find(SHOP, [kept.token]) == {}
    assert (erased.counts["cards"], erased.counts["payments"], erased.complete) == (1, 1, True)
    assert body_of_event(database) is None
    sink.otherwise["/hooks"] = answers(204)
    for seq in (1, 2, 3):
        redeliver(database, SHOP, event_id(payment_id, seq))
    tell_everybody(database, redis_url, sender)
    sender.close()
    again = shop.post_payment(**WRITTEN, key="order-1")
    assert (again.json["id"], again.headers["Idempotent-Replayed"]) == (payment_id, "true")
    path = posted.json["links"]["self"]
    shown = [again, *(shop.get(f"{path}{more}") for more in ("", "/events", "/attempts", "/explain"))]
    shown.append(shop.get("/v1/webhook-deliveries"))
    assert {answer.status_code for answer in shown} == {200, 202}
    told = [*(answer.text for answer in shown), *(one.body.decode() for one in sink.received)]
    told += [str(in_stream(redis_url)), dump(database_url)]
    printed = capfd.readouterr()
    assert found_in("".join([*told, printed.out, printed.err])) == []
    assert len(sink.received) > 3
    assert story_of(database, payment_id)[-1] == "SUCCEEDED"
    bounds = Bounds(overdue_after_s=30, undelivered_after_s=3600, settles_after_s=0)
    assert audit_all(AuditParts(database, {}, bounds, batch=10, budget_s=60.0)).violations == []
    assert len(rows(database, "SELECT FROM payment_events")) == 3
