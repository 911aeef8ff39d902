"""A card that the vault takes is, once its payment is over, in no table, file, queue, log, report or live object (I8).

Through every path that a card has, also with processes that die at every crash point.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import urllib3
from redis import Redis
from support.card_canary import dump
from support.installation import START_S, wait_until
from support.looking_through import can_be_looked_through, holders
from support.vaults import NEXT_YEAR

from aegis_worker.crash_points import POINTS, VARIABLE
from aegis_worker.lab.crash.points import programs_of
from aegis_worker.lab.embedded.stack import temporary_data_dir
from aegis_worker.lab.local.config_files import emulated_tables
from aegis_worker.lab.local.stack import LocalStack, Running
from aegis_worker.vault_settings import DATABASE_URL, REDIS_URL

pytestmark = pytest.mark.slow

# Both emulators approve it: Stripe's by its number, Adyen's by its holder.
NUMBER, CODE = "371449635398431", "8391"
CARD = {"number": NUMBER, "exp_month": 11, "exp_year": NEXT_YEAR, "cvc": CODE, "holder": "APPROVED"}
# Four digits occur anywhere by chance, so in files they count after their name only.
_NAMED_CODE = re.compile(rb"(?i)(cvc|cvv|code)[^0-9A-Za-z]{1,8}(5D=)?" + CODE.encode())
# As the processes are asked for it; = asks for a text that is nothing else.
_BACKWARDS = [NUMBER[::-1], f"={CODE[::-1]}"] + [
    written[::-1] for written in (f'"cvc":"{CODE}"', f'"cvc": "{CODE}"', f"cvc]={CODE}", f"cvc%5D={CODE}")
]
_CRASH_WITHIN_S, _OVER_WITHIN_S = 6.0, 180.0


def holds_it(data: bytes) -> bool:
    return NUMBER.encode() in re.sub(rb"[ \-]", b"", data) or _NAMED_CODE.search(data) is not None


@dataclass(frozen=True)
class Rehearsal:
    """A running installation with the vault on, and Stripe and Adyen emulated."""

    stack: LocalStack
    running: Running
    folder: Path
    looked: Path
    http: urllib3.PoolManager

    def send(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.running.api_key}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key or uuid.uuid4().hex}
        raw = None if body is None else json.dumps(body).encode()
        answer = self.http.request(method, self.running.api_url + path, body=raw, headers=headers)
        assert not holds_it(answer.data), "an answer holds the card"
        return answer.status, json.loads(answer.data or b"{}")

    def pay(self, method: dict[str, Any], key: str = "") -> dict[str, Any]:
        body = {"amount": 1999, "currency": "USD", "payment_method": {"type": "card", **method}}
        return self.send("POST", "/v1/payments", body, key)[1]

    def take(self, usage: str) -> str:
        return str(self.send("POST", "/v1/tokens", {"card": CARD, "usage": usage})[1].get("id", "tok_none"))

    def payments(self, state: str) -> list[str]:
        """The ids of payments in this state, at most a hundred."""
        _, page = self.send("GET", f"/v1/payments?limit=100&state={state}")
        return [payment["id"] for payment in page["data"]]

    def await_the_end(self) -> None:
        """Until every payment has ended, or waits for a person."""

        def at_work() -> list[str]:
            with psycopg2.connect(self.running.database_url.replace("+psycopg2", "")) as connection:
                cursor = connection.cursor()
                cursor.execute("SELECT payment_id FROM jobs WHERE finished_at IS NULL AND status <> 'review'")
                return [payment_id for (payment_id,) in cursor]

        wait_until(lambda: not at_work(), _OVER_WITHIN_S, lambda: f"{at_work()} are under way")

    def trouble_gateways(self, share: float) -> None:
        """Have the gateways drop this share of their answers."""
        for place in self.running.sandboxes.values():
            faults = {"fail_share": share, "fail_script": "drop"} if share else {}
            answer = self.http.request(
                "POST", f"{place['url']}/_sandbox/faults", body=json.dumps(faults).encode()
            )
            assert answer.status == 200, answer.data

    def pids(self) -> list[int]:
        """Of the processes that are AegisPay's own: gateways are others'."""
        own = [pid for name, pid in self.stack.pids().items() if name in ("web", "worker", "beat")]
        return [*own, *(child.pid for pid in own for child in psutil.Process(pid).children(recursive=True))]

    def assert_nothing_holds_it(self) -> None:
        """In no table, no Redis, no file, no log."""
        for url in (self.running.database_url, os.environ[DATABASE_URL]):
            assert not holds_it(dump(url).encode()), "a database holds it"
        for url in (self.running.redis_url, os.environ[REDIS_URL]):
            with Redis.from_url(url) as redis:
                held = [redis.dump(name) or b"" for name in redis.scan_iter()]
            assert not any(map(holds_it, held)), "a Redis holds it"
        cluster = self.stack.stores.postgres.home
        for root in (self.folder, cluster):
            assert [str(path) for path in _files(root) if holds_it(_content(path))] == []


def _files(root: Path) -> Iterator[Path]:
    """All of an installation's, but the ledgers of its gateways, which are others' books."""
    yield from (path for path in root.rglob("*") if path.is_file() and "gateways" not in path.parts)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # a temporary file that is gone by now


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    before = dict(os.environ)
    with temporary_data_dir() as folder:
        looked = folder / "looked-through"
        looked.mkdir()
        ours = {name: value for name, value in before.items() if not name.startswith("AEGIS_")}
        for name in ("DATABASE_URL", "REDIS_URL"):
            ours.pop(name, None)
        ours |= {
            "AEGIS_LEASE_S": "12",
            "AEGIS_VERIFY_LADDER_S": "1,1,2,3,5,10,10,10",
            "AEGIS_WEB_WORKERS": "1",
        }
        stack = LocalStack(
            folder / "data",
            port=0,
            workers=2,
            merchant_id="local",
            environ={**ours, **can_be_looked_through(looked)},
            say=print,
            watched=False,
            choose=partial(emulated_tables, ["stripe", "adyen"]),
            vault=True,
        )
        try:
            with stack:
                running = stack.start(threading.Event())
                http = urllib3.PoolManager(timeout=30, retries=False)
                yield Rehearsal(stack, running, folder, looked, http)
        finally:
            os.environ.clear()
            os.environ.update(before)


def paths(shop: Rehearsal) -> Sequence[dict[str, Any]]:
    """The payments of every way that a card can go."""
    kept, once, other = shop.take("kept"), shop.take("once"), shop.take("kept")
    paid = [shop.pay({"card": CARD}, "k-1"), shop.pay({"card": CARD}, "k-1")]
    paid += [shop.pay({"token": kept}), shop.pay({"token": once})]
    shop.send("DELETE", f"/v1/tokens/{other}")
    mistyped = f"{NUMBER[:-1]}{(int(NUMBER[-1]) + 1) % 10}"
    shop.pay({"card": {**CARD, "number": mistyped}})
    shop.pay({"card": {**CARD, "holder": NUMBER}})
    shop.pay({"number": NUMBER, "cvc": CODE})
    shop.send("POST", "/v1/tokens", {"card": CARD, "usage": NUMBER})
    shop.send("POST", "/v1/tokens", {"card": CARD, "customer": {"id": f"cvc {CODE}"}})
    return paid


@pytest.mark.row(61)
def test_after_its_payments_a_card_is_nowhere_and_no_live_object_holds_it(rehearsal: Rehearsal) -> None:
    shop = rehearsal
    first, again, by_token, by_once = paths(shop)
    assert again["id"] == first["id"]
    shop.await_the_end()
    assert {first["id"], by_token["id"], by_once["id"]} <= set(shop.payments("SUCCESS"))
    shop.assert_nothing_holds_it()
    with Redis.from_url(os.environ[REDIS_URL]) as redis:
        left = {name.decode().rpartition(":")[2] for name in redis.scan_iter() if b":claim:" not in name}
    assert not left & {payment["payment_method"]["token"] for payment in (first, by_token, by_once)}
    told = holders(shop.looked, "after", shop.pids(), _BACKWARDS)
    assert {command: found for command, found in told.items() if found} == {}


@pytest.mark.row(61)
def test_with_the_first_gateway_down_the_second_charges_the_card_once(rehearsal: Rehearsal) -> None:
    shop = rehearsal
    shop.stack.launched.kill("stripe")
    try:
        paid = shop.pay({"card": CARD})
        shop.await_the_end()
    finally:
        shop.stack.launched.restart(["stripe"], threading.Event())
    found = shop.send("GET", f"/v1/payments/{paid['id']}?expand=attempts")[1]
    assert (found["state"], found["gateway"]) == ("SUCCESS", "adyen")
    approved = [one for one in found["attempts"]["data"] if one["status"] == "APPROVED"]
    assert [one["gateway"] for one in approved if one["operation"] == "process"] == ["adyen"]
    shop.assert_nothing_holds_it()


@pytest.mark.row(61)
def test_no_process_that_dies_anywhere_leaves_a_card_behind(rehearsal: Rehearsal) -> None:
    shop, never = rehearsal, threading.Event()
    died = set()
    # So that doubts are looked into, and calls repeated, with a card in them too.
    shop.trouble_gateways(0.2)
    for point in POINTS:
        shop.stack.launched.restart(["web", "worker"], never, {VARIABLE: f"{point}:1"})
        deadline = time.monotonic() + _CRASH_WITHIN_S
        tries = 0
        while time.monotonic() < deadline and not _dead(shop, point):
            with suppress(urllib3.exceptions.HTTPError):  # it has just died, or is not up yet
                shop.pay({"card": CARD}, f"{point}-{tries}")
                shop.pay({"token": shop.take("kept")}, f"{point}-t-{tries}")
                tries += 1
            time.sleep(0.5)
        if _dead(shop, point):
            died.add(point)
    shop.stack.launched.restart(["web", "worker"], never)
    shop.trouble_gateways(0.0)
    assert {"card.sealed", "card.kept", "card.opened", "gateway.sending", "outcome.recorded"} <= died
    wait_until(lambda: shop.send("GET", "/v1/payments")[0] == 200, START_S)
    shop.await_the_end()
    shop.assert_nothing_holds_it()
    told = holders(shop.looked, "crashed", shop.pids(), _BACKWARDS)
    assert {command: found for command, found in told.items() if found} == {}


def _dead(shop: Rehearsal, point: str) -> bool:
    words = f"told to die at {point}\n".encode()
    logs = [shop.stack.launched.log(name) for name in programs_of(point)]
    return any(words in log.read_bytes() for log in logs if log.exists())
