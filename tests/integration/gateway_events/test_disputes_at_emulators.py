"""Disputes from the emulators' own webhooks to the merchant's view of them, at each gateway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.api_client import Api, Merchant, start_api
from support.conformance import SUBJECTS
from support.disputes import followed, let_events_pass
from support.merchant_server import Sink, a_sink
from support.orders import row_is_fold
from support.payments import pipeline, run_until_quiet
from support.sandbox_process import eventually
from support.stripe_process import sdk

from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events.verify import VerifyParts, verify
from aegis_worker.lab.conformance.emulator import RunningEmulator
from aegis_worker.lab.conformance.subject import Subject
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.wiring.gateways import told_to


@dataclass
class Place:
    """A gateway's emulator, and an installation that its webhooks are handed to."""

    subject: Subject
    emulator: RunningEmulator
    gateway: LoadedGateway
    sink: Sink
    api: Api
    shop: Merchant
    handed_on: int = field(default=0)

    def work(self) -> None:
        """What a worker does with all that is due."""
        jobs = PostgresJobs(self.api.database, self.api.ring)
        run_until_quiet(pipeline(self.api.database, self.gateway, jobs=jobs))

    def pay(self, token: str) -> str:
        if self.subject.paid_there is not None:
            return self.pay_there(token)
        method = {"type": "card", "token": token, "gateway": self.subject.name}
        payment_id = str(self.shop.accepted(payment_method=method)["id"])
        self.work()
        return payment_id

    def pay_there(self, token: str) -> str:
        """A payment that its payer pays on the gateway's own page, and that the shop confirms."""
        assert self.subject.paid_there is not None
        payment_id = str(self.shop.accepted(payment_method={"type": "card"})["id"])
        self.work()
        action = self.shop.get(f"/v1/payments/{payment_id}").json["next_action"]
        brought_back = self.subject.paid_there(self.emulator, action["data"], token)
        path, key = f"/v1/payments/{payment_id}/confirm", {"Idempotency-Key": "confirm-1"}
        assert self.shop.post(path, json={"gateway_data": brought_back}, headers=key).status_code == 202
        self.work()
        return payment_id

    def dispute_becomes(self, payment_id: str, status: str) -> dict[str, Any]:
        """The payment's only dispute, once the gateway's webhooks have made it so."""
        found: list[dict[str, Any]] = []

        def stands() -> bool:
            self.hand_on()
            found[:] = self.shop.get(f"/v1/payments/{payment_id}/disputes").json["data"]
            return [one["status"] for one in found] == [status]

        assert eventually(stands), found
        return found[0]

    def hand_on(self) -> None:
        """Post what the emulator has sent since, as it was sent, and have a worker follow it."""
        arrived = list(self.sink.received)
        for webhook in arrived[self.handed_on :]:
            path = f"/v1/gateways/{self.subject.name}/webhooks"
            answer = self.api.app.test_client().post(path, data=webhook.body, headers=dict(webhook.headers))
            assert answer.status_code == 200, answer.text
        self.handed_on = len(arrived)
        verify(VerifyParts(self.api.database, self.api.gateways, self.api.ring))
        followed(self.api)
        let_events_pass(self.api.database, 60)


@pytest.fixture(scope="module", params=SUBJECTS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Subject, RunningEmulator, Sink]]:
    """A gateway's emulator, and where its webhooks arrive."""
    subject = SUBJECTS[request.param]
    folder = tmp_path_factory.mktemp(subject.name)
    with a_sink() as sink, subject.running(folder, sink.url(f"/{subject.name}")) as emulator:
        yield subject, emulator, sink


@pytest.fixture
def place(
    running: tuple[Subject, RunningEmulator, Sink], database: Database, database_url: str
) -> Iterator[Place]:
    subject, emulator, sink = running
    config = subject.config(emulator.url, **subject.vouched(emulator))
    gateway = LoadedGateway(subject.adapter(config), read_told=told_to(database, config))
    api = start_api(database_url, gateway)
    merchant = api.merchant(scopes=["refunds:write"])
    yield Place(subject, emulator, gateway, sink, api, merchant, handed_on=len(sink.received))
    gateway.close_connections()


def wins_at(place: Place, dispute: dict[str, Any]) -> None:
    """The merchant answers the dispute at the gateway."""
    if place.subject.name == "stripe":
        evidence: Any = {"evidence": {"uncategorized_text": "winning_evidence"}}
        sdk(place.emulator.url).v1.disputes.update(dispute["gateway_ref"], evidence)
    else:
        place.emulator.post("/_sandbox/disputes", {"id": dispute["gateway_ref"], "status": "won"})


def test_a_dispute_is_heard_of_answered_at_the_gateway_and_won(place: Place) -> None:
    payment_id = place.pay("tok_dispute")
    dispute = place.dispute_becomes(payment_id, "needs_response")
    amounts = place.shop.get(f"/v1/payments/{payment_id}").json["amounts"]
    assert (amounts["disputed"], amounts["charged_back"]) == (1999, 0)
    wins_at(place, dispute)
    place.dispute_becomes(payment_id, "won")
    amounts = place.shop.get(f"/v1/payments/{payment_id}").json["amounts"]
    assert (amounts["disputed"], amounts["charged_back"], amounts["refundable"]) == (0, 0, 1999)
    assert row_is_fold(place.api.database, payment_id)


@pytest.mark.slow
def test_a_dispute_that_is_lost_leaves_nothing_to_refund(place: Place) -> None:
    payment_id = place.pay("tok_dispute_lost_0")
    place.dispute_becomes(payment_id, "lost")
    payment = place.shop.get(f"/v1/payments/{payment_id}").json
    assert (payment["state"], payment["amounts"]["charged_back"], payment["amounts"]["refundable"]) == (
        "SUCCESS",
        1999,
        0,
    )
    assert row_is_fold(place.api.database, payment_id)


@pytest.mark.slow
def test_a_warning_is_ended_by_a_refund(place: Place) -> None:
    payment_id = place.pay("tok_dispute_warning")
    place.dispute_becomes(payment_id, "warning")
    path, key = f"/v1/payments/{payment_id}/refunds", {"Idempotency-Key": "refund-1"}
    assert place.shop.post(path, json={}, headers=key).status_code == 202

    def is_refunded() -> bool:
        place.hand_on()
        place.work()
        return bool(place.shop.get(f"/v1/payments/{payment_id}").json["amounts"]["refunded"] == 1999)

    assert eventually(is_refunded)
