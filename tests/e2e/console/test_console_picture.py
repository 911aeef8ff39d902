"""The console's picture in the README: taken of the console as it is, and small enough for a page that is read online.

`AEGIS_TEST_PICTURES=docs/pictures scripts/test -m slow tests/e2e/console/test_console_picture.py` puts a new one there.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from redis import Redis
from support.checkout import CHECKOUT
from support.chromium import chromium, visiting
from support.console import token_of_a_session
from support.past_payments import copied_into_the_past
from support.payments import A_RING, accept_one, pipeline
from support.pictures import in_256_colours, size_of
from support.reviews import doubtful, held_back, in_review
from support.running_api import running_api
from support.scripted_gateway import ScriptedGateway

from aegis_worker.audit.run import AuditParts, audit_on
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Declined
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.resilience.gates import build_gates
from aegis_worker.resilience.permits import CallResult, Counted, Said, Wanted
from aegis_worker.sealing.ring import KeyRing

PICTURE = Path("docs/pictures/console-overview.png")
SIZE = (1360, 860)
MOST_BYTES = 120_000
MINUTES = 180


NO = Declined("insufficient_funds", "51", "not enough money")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@dataclass(frozen=True)
class Evening:
    """Three hours of an installation, without the processes that would go on with it."""

    database: Database
    ring: KeyRing = A_RING

    def happens(self) -> None:
        """Payments, two that wait for a person, two in doubt, and an audit that found nothing wrong."""
        approves = ScriptedGateway("sandbox_a")
        charged = [self._ended(number, approves) for number in range(9)]
        declined = self._ended(9, ScriptedGateway("sandbox_b", lambda request: NO))
        # As many as by day, fewer and fewer since.
        each_minute = [34 + minute // 9 + round(7 * math.sin(minute / 3)) for minute in range(MINUTES)]
        audit_on(AuditParts(self.database, {}, Bounds(), batch=10_000, budget_s=60.0))
        copied_into_the_past(self.database, [*charged, declined], each_minute)
        self._in_review("order-1088", 64_000, "EUR")
        held_back(self.database, key="held", reference="order-1093", amount=Money(128_050, "USD"))
        for reference, minor in (("order-1108", 19_900), ("order-1115", 4_900)):
            accept_one(self.database, reference, reference=reference, amount=Money(minor, "USD"))
        run(pipeline(self.database, doubtful(name="sandbox_a")), "payments")

    def _ended(self, number: int, gateway: ScriptedGateway) -> str:
        payment_id = accept_one(
            self.database, f"ended-{number}", amount=Money(1999 + number, "USD")
        ).payment.id
        run(pipeline(self.database, gateway), "payments")
        return payment_id

    def _in_review(self, reference: str, minor: int, currency: str) -> None:
        gateway = doubtful(name="sandbox_a")
        in_review(self.database, gateway, key=reference, reference=reference, amount=Money(minor, currency))


def gateways_answer(redis: Redis) -> None:
    """What workers would have counted of their calls."""
    gateways = {name: ScriptedGateway(name) for name in ("sandbox_a", "sandbox_b")}
    gates = build_gates(redis, gateways, calls_in_flight=64)
    for number in range(120):
        slow = number % 2
        wanted = Wanted(("sandbox_a", "sandbox_b")[slow], ("process",), f"op-{number}")
        (verdict,) = gates.admit([wanted])
        counted = Counted.DECLINED if number % 13 == 0 else Counted.APPROVED
        latency_ms = (130.0, 380.0)[slow] + number % 60
        gates.report([CallResult(wanted, verdict.epoch, Said.SUCCESS, latency_ms, counted)])


@pytest.mark.slow
def test_the_picture_in_the_readme_is_of_the_console_and_small(
    browser: Browser, stores: Stores, database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    evening = Evening(database)
    evening.happens()
    with Redis.from_url(redis_url) as redis:
        gateways_answer(redis)
    token = token_of_a_session(evening, "operator", "night")
    with (
        running_api(database_url, redis_url, tmp_path) as api,
        visiting(browser, f"http://127.0.0.1:{api.port}", token, size=SIZE) as night,
    ):
        page = night.open("/")
        expect(page.locator("#strip")).to_contain_text("No money is known to be wrong.")
        expect(page.locator("#flow canvas")).to_be_visible()
        taken = in_256_colours(browser, page.screenshot())
    if folder := os.environ.get("AEGIS_TEST_PICTURES"):
        (CHECKOUT / folder / PICTURE.name).write_bytes(taken)
    kept = (CHECKOUT / PICTURE).read_bytes()
    assert size_of(kept) == size_of(taken) == SIZE
    assert max(len(kept), len(taken)) < MOST_BYTES
