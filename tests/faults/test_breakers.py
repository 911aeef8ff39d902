"""Breakers on a whole installation whose gateway fails, and in a worker whose Redis dies."""

from __future__ import annotations

import re
import shutil
import signal
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
import urllib3
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from support.checkout import CHECKOUT
from support.installation import Installation, wait_until
from support.payments import accept_one, attempts_of, payment_of, pipeline
from support.redis_values import text_of
from support.sandbox_pair import SandboxPair, running_pair
from support.steady_load import Load

from aegis_worker.domain.breakers import BreakerLimits, BreakerState
from aegis_worker.domain.transitions import State
from aegis_worker.lab.embedded.valkey import EmbeddedValkey
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.resilience.gates import build_gates

_BREAKER = "aegis:gate:sandbox_a:process"
_CHARGES, _LOOK_UPS = "POST /v1/charges", "GET /v1/payments?reference"


@dataclass(frozen=True)
class Seen:
    """The breaker of charges at sandbox_a, and what this gateway had been asked for by then, by its own count."""

    state: str
    epoch: int
    charges: int
    look_ups: int


class Watched:
    """An installation's sandbox_a, from the outside: its breaker in Redis, its own count of calls."""

    def __init__(self, running: Installation) -> None:
        self.running = running
        self._http = urllib3.PoolManager()

    def look(self) -> Seen:
        """Breaker and counts of one moment: what moved meanwhile is looked at again."""
        while True:
            before, counts, after = self._breaker(), self._calls(), self._breaker()
            if before == after:
                return Seen(*after, counts.get(_CHARGES, 0), counts.get(_LOOK_UPS, 0))

    def until(self, state: BreakerState, within_s: float) -> None:
        wait_until(lambda: self.look().state == state, within_s, what=lambda: f"not {state}: {self.look()}")

    def while_open(self, periods: int, within_s: float) -> list[tuple[Seen, Seen]]:
        """The first and the last look at each time that it is open, over so many times."""
        looks: defaultdict[int, list[Seen]] = defaultdict(list)

        def enough() -> bool:
            seen = self.look()
            if seen.state == BreakerState.OPEN:
                looks[seen.epoch].append(seen)
            return len(looks) > periods

        wait_until(enough, within_s, what=lambda: f"open only {len(looks)} times")
        return [(looks[epoch][0], looks[epoch][-1]) for epoch in sorted(looks)[:periods]]

    def _breaker(self) -> tuple[str, int]:
        with self.running.redis() as client:
            state, epoch = client.hmget(_BREAKER, "state", "epoch")
        return text_of(state or b"CLOSED"), int(epoch or 0)

    def _calls(self) -> dict[str, int]:
        url = self.running.ready["sandboxes"]["sandbox_a"]["url"]
        calls: dict[str, int] = self._http.request("GET", f"{url}/_sandbox/calls").json()["calls"]
        return calls


@pytest.fixture(scope="module")
def running(folder: Path, environ: dict[str, str]) -> Iterator[Installation]:
    """Four worker processes and the breakers as shipped, but that a minute takes two seconds."""
    config_dir = folder / "breakers-config"
    shutil.copytree(CHECKOUT / "config", config_dir)
    gateways = config_dir / "gateways.toml"
    text = gateways.read_text()
    for name, value in {
        "connect_timeout_s": "1",
        "timeout_s": "2",
        "absence_window_s": "2",
        "open_s": "2\nmax_open_s = 4\nprobe_s = 10",
    }.items():
        text = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
    gateways.write_text(text)
    installation = Installation(
        folder / "breakers", environ | {"AEGIS_CONFIG_DIR": str(config_dir)}, workers=4
    )
    yield installation
    installation.stop()


@pytest.mark.row(45)
@pytest.mark.slow
def test_a_gateway_that_fails_60_percent_is_left_alone_but_for_probes_until_it_is_well(
    running: Installation,
) -> None:
    bank = Watched(running)
    workers = running.worker_pid()
    with Load(running, every_s=0.03, tokens=("tok_visa",)) as load:
        wait_until(lambda: bank.look().charges > 20, 30)
        with running.gateway_faults("sandbox_a", fail_share=0.6, fail_script="500_nocharge", seed=45):
            bank.until(BreakerState.OPEN, 10)
            elsewhere = charged_at(running, "sandbox_b")
            times = bank.while_open(6, within_s=120)
        bank.until(BreakerState.CLOSED, 60)
        healed, charged = bank.look().charges, charged_at(running, "sandbox_a")
        wait_until(lambda: charged_at(running, "sandbox_a") > charged + 50, 60)
    assert not load.refused
    # What is sent while it is open was let through before: none but the first, for a moment.
    probes = [
        later.charges - before.charges
        for (_, before), (_, later) in pairwise(times)
        if later.epoch == before.epoch + 2
    ]
    assert probes
    assert max(probes) <= 3
    assert sum(last.look_ups - first.look_ups for first, last in times) > 0
    assert charged_at(running, "sandbox_b") > elsewhere + 50
    assert bank.look().charges > healed
    assert running.worker_pid() == workers


def charged_at(running: Installation, gateway: str) -> int:
    return sum(row["gateway"] == gateway and row["captured"] > 0 for row in running.ledgers())


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A Redis that only these tests use."""
    server = EmbeddedValkey(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sandboxes(tmp_path: Path) -> Iterator[SandboxPair]:
    with running_pair(tmp_path) as pair:
        yield pair


@pytest.fixture
def worker(
    database: Database, valkey: EmbeddedValkey, sandboxes: SandboxPair
) -> Callable[[BreakerLimits], PipelineParts]:
    """A worker of one process whose gateways have such breakers."""

    def build(limits: BreakerLimits) -> PipelineParts:
        client = Redis.from_url(valkey.url, socket_timeout=0.3, retry=Retry(NoBackoff(), 0))
        adapters = sandboxes.adapters()
        for one in adapters:
            one.config = replace(one.config, breaker=limits)
        gates = build_gates(client, {one.config.name: one for one in adapters}, calls_in_flight=8)
        return pipeline(database, *adapters, gates=gates)

    return build


def pay(parts: PipelineParts, database: Database, number: int) -> list[str]:
    """So many payments, each to its end; the gateways that were called for them."""
    ids = [accept_one(database, f"k-{uuid.uuid4().hex}").payment.id for _ in range(number)]
    run(parts, "payments")
    assert {payment_of(database, payment_id).state for payment_id in ids} == {State.SUCCESS}
    return [attempt["gateway"] for payment_id in ids for attempt in attempts_of(database, payment_id)]


@pytest.mark.slow
@pytest.mark.row(48)
def test_a_breaker_that_is_open_when_redis_dies_stays_open(
    worker: Callable[..., PipelineParts], valkey: EmbeddedValkey, sandboxes: SandboxPair, database: Database
) -> None:
    parts = worker(BreakerLimits(consecutive_failures=2, open_s=3600, max_open_s=3600))
    sandboxes.a.kill()
    assert pay(parts, database, 2) == ["sandbox_a", "sandbox_b"] * 2
    valkey.stop(signal.SIGKILL)
    assert pay(parts, database, 3) == ["sandbox_b"] * 3
    view = parts.gates.views()["sandbox_a"]["process"]
    assert (view.state, view.shared) == (BreakerState.OPEN, False)


@pytest.mark.slow
@pytest.mark.row(48)
def test_without_redis_a_gateway_that_is_well_again_is_found_to_be(
    worker: Callable[..., PipelineParts], valkey: EmbeddedValkey, sandboxes: SandboxPair, database: Database
) -> None:
    parts = worker(BreakerLimits(consecutive_failures=2, open_s=0.2, max_open_s=0.2))
    sandboxes.a.kill()
    pay(parts, database, 2)
    valkey.stop(signal.SIGKILL)
    sandboxes.a.start()

    def is_closed() -> bool:
        pay(parts, database, 1)
        view = parts.gates.views()["sandbox_a"]["process"]
        assert not view.shared
        return view.state is BreakerState.CLOSED

    wait_until(is_closed, 30)
    assert pay(parts, database, 2) == ["sandbox_a"] * 2
