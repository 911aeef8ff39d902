"""A gateway that answers byte by byte, before a worker of one process: others' payments go on, and TERM waits for it."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.installation import SOON_S, STOP_S, Installation, card, wait_until
from support.malforming_proxy import Honest, MalformingProxy, Wire, malforming_proxy
from support.own_worker import OwnWorker, own_worker

# The amount of payments whose answers drip.
SLOW_MINOR = 777


class Dripping:
    """Drips the answers about payments of SLOW_MINOR, a header byte at a time, until `over`; others pass."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, answer: Honest, wire: Wire) -> None:
        if answer.is_look_up or answer.json.get("amount") != SLOW_MINOR:
            wire.send(answer.raw())
            return
        whole = answer.raw(None, "X-Slow: x")
        begin, end = whole[: whole.index(b"X-Slow: x") + 9], whole[whole.index(b"X-Slow: x") + 9 :]
        wire.send(begin)
        while not self.over.wait(0.05):
            wire.send(b"x")
        wire.send(end)


@pytest.fixture
def dripping() -> Iterator[Dripping]:
    form = Dripping()
    yield form
    form.over.set()


@pytest.fixture
def proxy(running: Installation, dripping: Dripping) -> Iterator[MalformingProxy]:
    with malforming_proxy(running.ready["sandboxes"]["sandbox_a"]["url"]) as proxy:
        proxy.form = dripping
        yield proxy


@pytest.fixture
def worker(running: Installation, proxy: MalformingProxy, tmp_path: Path) -> Iterator[OwnWorker]:
    """One process that waits for an answer for as long as this test takes."""
    config_dir = tmp_path / "config"
    shutil.copytree(running.settings["AEGIS_CONFIG_DIR"], config_dir)
    gateways = config_dir / "gateways.toml"
    gateways.write_text(re.sub(r"(?m)^timeout_s = .*$", "timeout_s = 55", gateways.read_text()))
    settings = {
        "AEGIS_CONFIG_DIR": str(config_dir),
        "AEGIS_LEASE_S": "90",
        "AEGIS_RUN_LIMIT_S": "1",
        "AEGIS_SANDBOX_A_URL": proxy.url,
    }
    with own_worker(running, concurrency=1, **settings) as worker:
        yield worker


def slow(running: Installation) -> str:
    """A payment whose answer drips; its id, once it is being called about."""
    reply = running.post(card("tok_visa") | {"amount": SLOW_MINOR})
    payment_id = str(reply.body["id"])
    wait_until(lambda: [one["status"] for one in running.attempts(payment_id)] == ["SENT"], SOON_S)
    return payment_id


@pytest.mark.row(68)
@pytest.mark.slow
def test_payments_go_on_in_a_worker_whose_gateway_drips_its_answers_to_some(
    running: Installation, worker: OwnWorker, dripping: Dripping
) -> None:
    dripped = [slow(running) for _ in range(3)]
    for _ in range(4):
        for payment_id in [running.accepted("tok_visa") for _ in range(5)]:
            assert running.ended(payment_id)["state"] == "SUCCESS"
    assert {running.payment(payment_id)["state"] for payment_id in dripped} == {"PROCESSING"}
    dripping.over.set()
    for payment_id in dripped:
        payment = running.ended(payment_id)
        assert payment["state"] == "SUCCESS"
        assert [(one["sends"], one["checks"]) for one in payment["attempts"]["data"]] == [(1, 0)]


@pytest.mark.slow
@pytest.mark.row(68)
def test_a_worker_that_is_told_to_stop_waits_for_a_call_that_its_run_has_left_in_flight(
    running: Installation, worker: OwnWorker, dripping: Dripping
) -> None:
    dripped = slow(running)
    # Its run is over: another's payment has been taken up and is done.
    for _ in range(3):
        running.ended(running.accepted("tok_visa"))
    worker.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        worker.process.wait(3)
    dripping.over.set()
    assert worker.process.wait(STOP_S) == 0
    payment = running.payment(dripped)
    assert payment["state"] == "SUCCESS"
    assert [(one["sends"], one["checks"]) for one in payment["attempts"]["data"]] == [(1, 0)]
