"""The API on a real database, for the tests of its routes: a merchant with a key, and a worker that settles payments."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast
from unittest.mock import patch

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from aegis_api.app import create_app, serve_with
from aegis_worker.domain.changes import Change, JobChange
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.payment import Fact
from aegis_worker.domain.transitions import EventType
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.hooks import NO_HOOKS, Hooks
from aegis_worker.persistence.api_keys import Scope, create_key, create_operator_key
from aegis_worker.persistence.claims import claim
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.record import record
from aegis_worker.queries.gateway_reports import report_gateways
from aegis_worker.resilience.gates import build_gates
from aegis_worker.resilience.monitor import Monitor
from aegis_worker.sealing.ring import KeyRing
from aegis_worker.settings import Settings, load_settings
from aegis_worker.vault.vault import Vault
from aegis_worker.wiring.stores import redis_client
from aegis_worker.wiring.web import Web

CARD = {"type": "card", "token": "tok_visa"}
SUCCEEDED = (
    Fact(EventType.PROCESSING, {"gateway": "sandbox_a", "attempt": 1}),
    Fact(EventType.SUCCEEDED, {"gateway_ref": "ch_1", "authorized_minor": 1999, "captured_minor": 1999}),
)
CHARGED = (
    Fact(EventType.PROCESSING, {"gateway": "sandbox_a", "attempt": 1}),
    Fact(
        EventType.SUCCEEDED,
        {"gateway": "sandbox_a", "gateway_ref": "ch_1", "authorized_minor": 1999, "captured_minor": 1999},
    ),
)
HELD = (
    Fact(EventType.PROCESSING, {"gateway": "sandbox_a", "attempt": 1}),
    Fact(
        EventType.AUTHORIZED,
        {"gateway": "sandbox_a", "gateway_ref": "ch_1", "authorized_minor": 1999, "last_error": None},
    ),
)
_numbers = itertools.count(1)


@dataclass
class Told:
    """Records hints instead of publishing them."""

    queues: list[str] = field(default_factory=list)

    def notify(self, queue: str) -> None:
        self.queues.append(queue)


class Reply(TestResponse):
    """An answer whose JSON is typed loosely: a test that reads it knows what it should hold, and fails otherwise."""

    json: Any


@dataclass
class Merchant:
    """One merchant's view of the API."""

    merchant_id: str
    key: str
    client: FlaskClient

    def post_payment(self, *, key: str | None = None, prefer: str | None = None, **fields: Any) -> Reply:
        """Post a payment of 19.99 USD by card, with `fields` added or replaced. Without `key`, a new key is used."""
        body = {"amount": 1999, "currency": "USD", "payment_method": CARD, **fields}
        return self.post_body(body, key=key, prefer=prefer)

    def post_body(self, body: Any, *, key: str | None = None, prefer: str | None = None) -> Reply:
        headers = {
            "Idempotency-Key": key or f"key-{next(_numbers)}",
            **({"Prefer": prefer} if prefer else {}),
        }
        return self.post("/v1/payments", json=body, headers=headers)

    def accepted(self, **fields: Any) -> dict[str, Any]:
        """Post a payment that must be accepted; returns its body."""
        answer = self.post_payment(**fields)
        assert answer.status_code == 202, answer.text
        return dict(answer.json)

    def get(self, path: str, **options: Any) -> Reply:
        return self.open(path, method="GET", **options)

    def post(self, path: str, **options: Any) -> Reply:
        return self.open(path, method="POST", **options)

    def delete(self, path: str) -> Reply:
        return self.open(path, method="DELETE")

    def open(self, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> Reply:
        with_key = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        return cast("Reply", self.client.open(path, headers=with_key, **options))


@dataclass
class Api:
    """The application, its database, the hints it gave, its gateways, and merchants."""

    app: Flask
    database: Database
    settings: Settings
    told: Told
    gateways: Mapping[str, PaymentGateway]

    @property
    def ring(self) -> KeyRing:
        """What the application seals with."""
        return KeyRing(self.settings.sealing_keys)

    def merchant(
        self, merchant_id: str = "mer_a", *, mode: Mode = "test", scopes: Sequence[Scope] = ()
    ) -> Merchant:
        _, key = create_key(self.database, merchant_id, "test", mode=mode, scopes=scopes)
        return Merchant(merchant_id, key, self.app.test_client())

    def operator(self, label: str = "night") -> Merchant:
        """A client with an operator's key."""
        _, key = create_operator_key(self.database, label)
        return Merchant("*", key, self.app.test_client())

    def settle(self, *facts: Fact, status: str = "succeeded") -> list[str]:
        """Do a worker's part for every due payment: claim, record the facts, close the job. Returns the payments' ids."""

        def work(connection: Any) -> list[str]:
            jobs = claim(connection, "payments", limit=100, lease_s=60, worker="test")
            changes = []
            for job in jobs:
                payment, events = job.payment.record(facts)
                change = JobChange(status, reason=None, result={"state": payment.state})  # type: ignore[arg-type]
                changes.append(Change(job.id, job.lease_epoch, payment, job.payment.version, events, change))
            record(connection, changes, lease_s=60)
            return [job.payment.id for job in jobs]

        return self.database.run(work)

    def settle_when_due(self, *facts: Fact) -> None:
        """Wait for a payment to become due, at most 20 s, and settle it."""
        for _ in range(1000):
            if self.settle(*facts):
                return
            time.sleep(0.02)
        raise AssertionError("no payment became due")


class Applications:
    """Applications that tests take over from earlier tests that are done with them.

    Making one takes an eighth of a second, most of it for the API's document.
    """

    def __init__(self) -> None:
        self._free: dict[int, list[Flask]] = {}
        self._taken: list[tuple[int, Flask]] = []

    def take(self, web: Web) -> Flask:
        """An application that works with these parts until the test is over."""
        limit = web.settings.max_body_bytes
        free = self._free.get(limit)
        if free:
            app = free.pop()
            serve_with(app, web)
        else:
            app = create_app(web)
        self._taken.append((limit, app))
        return app

    @contextmanager
    def of_a_test(self) -> Iterator[None]:
        """Free, at the end of the block, every application that was taken in it."""
        before, self._taken = self._taken, []
        yield
        for limit, app in self._taken:
            self._free.setdefault(limit, []).append(app)
        self._taken = before


applications = Applications()


def start_api(
    database_url: str,
    *gateways: PaymentGateway,
    redis_ready: bool = True,
    vault: Vault | None = None,
    hooks: Hooks = NO_HOOKS,
    **changed: Any,
) -> Api:
    """The application on this database, with these gateways; `changed` settings replace the defaults."""
    settings = replace(settings_for(database_url), **changed)
    database = Database.connect(settings, application="test")
    told = Told()
    web = Web(
        reading=database,
        settings=settings,
        database=database,
        hints=told,  # type: ignore[arg-type]
        ring=KeyRing(settings.sealing_keys),
        redis_ready=lambda: redis_ready,
        vault=vault,
        hooks=hooks,
    )
    named = {gateway.config.name: gateway for gateway in gateways}
    redis = redis_client(settings)
    monitor = Monitor(redis, build_gates(redis, named, calls_in_flight=settings.calls_in_flight), named)
    web = replace(
        web,
        gateways=lambda: named,
        gateway_reports=lambda: report_gateways(database, named, monitor),
    )
    return Api(applications.take(web), database, settings, told, named)


def settings_for(database_url: str) -> Settings:
    """Settings of an installation, independent of the environment of the tests."""
    environ = {"DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1/0", "AEGIS_SECRET": "s" * 40}
    with patch.dict(os.environ, environ):
        return load_settings()


def body_of(answer: TestResponse) -> Any:
    """The JSON of an answer that a client without a key got."""
    assert answer.json is not None, answer.text
    return answer.json


def codes(answer: Reply) -> Sequence[tuple[str, str]]:
    """The (pointer, code) pairs of a problem's errors."""
    return sorted((error["pointer"], error["code"]) for error in answer.json["errors"])
