"""Real hooks, in processes of their own, at intake and behind the outbox: what fails or hangs costs its limit alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from support.api_client import CARD, Api, Merchant, codes, settings_for, start_api
from support.checkout import CHECKOUT
from support.outbox_events import STORY, a_payment, event_ids, in_stream, make_due
from support.payments import rows

from aegis_worker.delivery.listeners.deliver import ListenReport
from aegis_worker.hints import NoHints
from aegis_worker.hooks.asking import Hooks
from aegis_worker.persistence.database import Database
from aegis_worker.wiring.delivery import hook_delivery, outbox_drain
from aegis_worker.wiring.hooks import built_hooks

FILE = """
[pool]
processes = 2

[breaker]
timeouts = 100

[hooks."support.hook_plugins.at_the_doors:pre_validation"]
timeout_ms = 300

[hooks."support.hook_plugins.at_the_doors:listen"]
timeout_ms = 300
"""


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def hooks(database_url: str, heard: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    """The plug-in, with short limits."""
    (heard / "hooks.toml").write_text(FILE)
    (heard / "gateways.toml").touch()
    monkeypatch.setenv("HOOKS_NOTE_IN", str(heard))
    plugins = ("support.hook_plugins.at_the_doors",)
    built = built_hooks(replace(settings_for(database_url), hooks=plugins, config_dir=heard))
    yield built
    built.close()


@pytest.fixture
def api(database_url: str, hooks: Hooks) -> Api:
    return start_api(database_url, hooks=hooks)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def payments(api: Api) -> int:
    return int(rows(api.database, "SELECT count(*) AS n FROM payments")[0]["n"])


def test_a_real_hook_refuses_with_its_reason(shop: Merchant, api: Api) -> None:
    assert shop.post_payment().status_code == 202
    assert codes(shop.post_payment(metadata={"hook": "refuses"})) == [("/metadata/hook", "refused")]
    assert codes(shop.post_payment(amount=666)) == [("/amount", "unlucky")]
    assert payments(api) == 1


@pytest.mark.parametrize("how", ["raises", "hangs", "dies", "answers nonsense"])
def test_a_hook_that_gives_no_answer_is_a_503_and_the_next_payment_passes(
    shop: Merchant, api: Api, how: str
) -> None:
    answer = shop.post_payment(metadata={"hook": how})
    assert (answer.status_code, answer.json["code"]) == (503, "hook_failed")
    assert payments(api) == 0
    assert shop.post_payment().status_code == 202


def test_what_no_program_would_send_is_refused_by_our_schema_and_no_hook_trips_over_it(
    shop: Merchant,
) -> None:
    for metadata in (
        {"n": 10**400},
        {"n": 2**64},
        {"deep": json.loads("[" * 10 + "]" * 10)},
        {"t": "\u0000"},
    ):
        answer = shop.post_payment(metadata=metadata)
        assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")


def test_a_batch_with_lines_that_hang_is_answered_line_by_line(shop: Merchant) -> None:
    hows = [None, "hangs", "refuses", "dies", None, "hangs", None]
    lines: list[dict[str, Any]] = [
        {"idempotency_key": f"k-{number}", "amount": 1999, "currency": "USD", "payment_method": CARD}
        | ({"metadata": {"hook": how}} if how else {})
        for number, how in enumerate(hows)
    ]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    answer = shop.post("/v1/payments/batches", data=body, headers={"Content-Type": "application/x-ndjson"})
    told = [line.get("problem", {}).get("code", line["outcome"]) for line in answer.json["data"]]
    failed, refused = "hook_failed", "validation_failed"
    assert told == ["accepted", failed, refused, failed, "accepted", failed, "accepted"]


def test_events_reach_real_hooks_and_one_that_hangs_holds_up_nobody(
    database: Database, database_url: str, redis_url: str, hooks: Hooks, heard: Path
) -> None:
    settings, redis = settings_for(database_url), Redis.from_url(redis_url)
    hanging, well = a_payment(database, reference="hangs"), a_payment(database, reference="well")
    drain = outbox_drain(settings, database, redis, NoHints(), hooks)
    listening = hook_delivery(settings, database, hooks)
    assert drain().delivered == 2 * len(STORY)
    assert len(in_stream(redis_url)) == 2 * len(STORY)
    assert listening.run() == ListenReport(claimed=4, delivered=3, failed=1)
    told = [line.split()[0] for line in (heard / "heard").read_text().splitlines()]
    assert [one for one in told if one in event_ids(well, 1, 2, 3)] == event_ids(well, 1, 2, 3)
    assert [one for one in told if one in event_ids(hanging, 1, 2, 3)] == event_ids(hanging, 1)
    left = rows(database, "SELECT payment_id, seq, tries, last_error FROM hook_deliveries ORDER BY seq")
    assert {row["payment_id"] for row in left} == {hanging}
    assert [(row["seq"], row["tries"]) for row in left] == [(1, 1), (2, 0), (3, 0)]
    assert "timed out" in left[0]["last_error"]


# What a worker's task does, in a process that can be told to die.
_DRAIN = """
from aegis_worker.wiring.process import finish_worker, worker
worker().drain_outbox()
worker().listening.run()
finish_worker()
"""


@pytest.mark.slow  # two processes
@pytest.mark.parametrize(("point", "told"), [("hook.claimed", 1), ("hook.told", 2)])
def test_an_event_is_told_at_least_once_whenever_the_process_that_tells_it_dies(
    database: Database, database_url: str, redis_url: str, heard: Path, point: str, told: int
) -> None:
    payment_id = a_payment(database)
    env = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "AEGIS_SECRET": "s" * 40,
        "AEGIS_CONFIG_DIR": str(CHECKOUT / "config"),
        "AEGIS_HOOKS": "support.hook_plugins.at_the_doors",
        "PYTHONPATH": str(CHECKOUT / "tests"),
        "HOOKS_NOTE_IN": str(heard),
    }
    died = subprocess.run([sys.executable, "-c", _DRAIN], env={**env, "AEGIS_CRASH_AT": point}, check=False)
    assert died.returncode == -signal.SIGKILL
    make_due(database, "hook_deliveries")
    subprocess.run([sys.executable, "-c", _DRAIN], env=env, check=True)
    lines = [line.split()[0] for line in (heard / "heard").read_text().splitlines()]
    first, *others = event_ids(payment_id, 1, 2, 3)
    assert lines == [first] * told + others
    assert rows(database, "SELECT * FROM hook_deliveries") == []
