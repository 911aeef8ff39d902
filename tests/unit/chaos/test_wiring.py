"""A worker is disturbed where its settings say so, and has nothing of it in its way where they don't."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.checkout import CHECKOUT
from support.outbox_events import settings_with

from aegis_worker.clock import put_off
from aegis_worker.errors import ConfigurationError
from aegis_worker.hints import Hints
from aegis_worker.persistence.database import Database
from aegis_worker.settings import Settings
from aegis_worker.wiring.chaos import chaos_plan
from aegis_worker.wiring.worker import Worker, build_worker

PLAN = """
[[injections]]
kind = "redis_down"

[[injections]]
kind = "postgres_slow"
delay_ms = 1

[[injections]]
kind = "no_permits"
gateways = ["sandbox_a"]
"""


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def settings_of(plan_file: Path | None, **changes: object) -> Settings:
    return settings_with(
        chaos=plan_file,
        config_dir=CHECKOUT / "config",
        database_url="postgresql+psycopg2://nobody@127.0.0.1:1/none",
        redis_url="redis://127.0.0.1:1/0",
        **changes,
    )


def built(plan_file: Path | None, *, disturbed: bool) -> Worker:
    worker = build_worker(settings_of(plan_file), disturbed=disturbed)
    worker.close()
    put_off(None)
    return worker


def is_plain(worker: Worker) -> bool:
    return (
        type(worker.database) is Database
        and type(worker.hints) is Hints
        and worker.pipeline.disturbs is None
        and worker.redis.connection_pool.connection_class.__name__ == "Connection"
    )


def test_without_a_plan_nothing_is_in_a_workers_way() -> None:
    assert is_plain(built(None, disturbed=True))


def test_commands_of_people_are_not_disturbed(plan_file: Path) -> None:
    assert is_plain(built(plan_file, disturbed=False))


def test_with_a_plan_the_parts_that_it_names_are_disturbed(plan_file: Path) -> None:
    worker = built(plan_file, disturbed=True)
    told = [type(part).__name__ for part in (worker.database, worker.hints, worker.pipeline.gates)]
    assert told == ["DisturbedDatabase", "DisturbedHints", "DisturbedGates"]
    assert worker.redis.connection_pool.connection_class.__name__ == "Disturbed"
    assert worker.pipeline.disturbs is not None


def test_production_refuses_a_plan_before_anything_is_built(plan_file: Path) -> None:
    with pytest.raises(ConfigurationError, match="AEGIS_CHAOS is refused in production"):
        build_worker(settings_of(plan_file, environment="production"), disturbed=True)
    with pytest.raises(ConfigurationError, match="AEGIS_CHAOS is refused in production"):
        chaos_plan(settings_of(plan_file, environment="production", chaos_allow_production=True))


def test_a_plan_for_gateways_that_are_not_configured_is_refused(plan_file: Path) -> None:
    plan_file.write_text('[[injections]]\nkind = "timeout"\ngateways = ["sandbox_z"]\n')
    with pytest.raises(ConfigurationError, match="line 3: gateways: 'sandbox_z' is none of sandbox_a"):
        chaos_plan(settings_of(plan_file))
