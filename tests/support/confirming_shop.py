"""A shop whose payers act in its frontend: a merchant on the API, a gateway, and the worker that goes on with payments."""

from __future__ import annotations

from typing import Any

from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.sealing.ring import KeyRing
from support.api_client import Api, Merchant, Reply, start_api
from support.payments import make_due, pipeline, rows
from support.sandbox_pair import adapter
from support.sandbox_process import Sandbox

_KEPT = "SELECT sealed IS NOT NULL AS kept FROM confirms ORDER BY number"


class Shop:
    """A merchant, its payment at a gateway, and the worker that goes on with it."""

    def __init__(self, database_url: str, gateway: PaymentGateway) -> None:
        self.api: Api = start_api(database_url, gateway)
        self.gateway = gateway
        self.merchant: Merchant = self.api.merchant()
        self.parts = self.worker()
        self.path = ""

    def worker(self, ring: KeyRing | None = None) -> PipelineParts:
        jobs = PostgresJobs(self.api.database, ring or self.api.ring)
        return pipeline(self.api.database, self.gateway, jobs=jobs)

    def pay(self, token: str) -> None:
        """Post a payment by card, and go on with it until the payer has to act."""
        self.post(payment_method={"type": "card", "token": token})

    def post(self, **terms: Any) -> None:
        """Post a payment, and go on with it until the payer has to act."""
        paid = self.merchant.accepted(**terms)
        self.path = paid["links"]["self"]
        self.work()

    def work(self) -> None:
        """Do everything that is due or waits."""
        run(self.parts, "payments")
        make_due(self.api.database)
        run(self.parts, "verify")

    def confirm(self, data: dict[str, Any], key: str = "confirm-1", path: str = "") -> Reply:
        headers = {"Idempotency-Key": key}
        body = {"gateway_data": data}
        return self.merchant.post((path or self.path) + "/confirm", json=body, headers=headers)

    @property
    def now(self) -> dict[str, Any]:
        return dict(self.merchant.get(self.path).json)

    @property
    def state(self) -> str:
        return str(self.now["state"])

    @property
    def attempts(self) -> list[tuple[str, int, str, int]]:
        found = self.merchant.get(self.path + "/attempts").json["data"]
        return [(one["operation"], one["number"], one["status"], one["sends"]) for one in found]

    @property
    def story(self) -> list[str]:
        found = self.merchant.get(self.path + "/events").json["data"]
        return [one["type"].removeprefix("payment.") for one in found]

    @property
    def kept(self) -> list[bool]:
        """For each confirm, whether what was brought back is still kept."""
        return [row["kept"] for row in rows(self.api.database, _KEPT)]


class SandboxShop(Shop):
    def __init__(self, database_url: str, sandbox: Sandbox, **options: Any) -> None:
        super().__init__(database_url, adapter(sandbox, absence_window_s=0, **options))
        self.sandbox = sandbox

    def brought_back(self, how: str = "passed") -> dict[str, Any]:
        """What the gateway's library gives the frontend, by how the payer did."""
        secret = self.now["next_action"]["data"]["client_secret"]
        return dict(self.sandbox.call("GET", f"/challenge?client_secret={secret}").json[how])

    @property
    def charges(self) -> list[int]:
        """What the gateway took for the payment."""
        return [row["captured"] for row in self._booked if row["captured"]]

    @property
    def at_gateway(self) -> list[str]:
        """How the payment stands at the gateway."""
        return [row["status"] for row in self._booked]

    @property
    def _booked(self) -> list[dict[str, Any]]:
        return [row for row in self.sandbox.ledger() if row["merchant_payment_id"] in self.path]
