"""What beat sends: tasks that exist, to queues that are consumed."""

from __future__ import annotations

import pytest

from aegis_worker.celery import QUEUES, app
from aegis_worker.errors import ConfigurationError
from aegis_worker.settings import load_settings


@pytest.mark.parametrize("name", app.conf.beat_schedule)
def test_each_entry_names_a_task_that_exists_and_a_queue_that_is_consumed(name: str) -> None:
    app.loader.import_default_modules()
    entry = app.conf.beat_schedule[name]
    assert entry["task"] in app.tasks
    assert entry["options"]["queue"] in QUEUES


def test_the_audit_goes_on_every_minute() -> None:
    entry = app.conf.beat_schedule["audit"]
    assert (entry["task"], entry["schedule"]) == ("maintenance.audit", 60.0)


@pytest.mark.parametrize("name", ["BATCH", "BUDGET_S", "OVERDUE_S", "UNDELIVERED_S"])
def test_an_audit_without_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable, value in {"DATABASE_URL": "postgresql://", "REDIS_URL": "redis://"}.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("AEGIS_SECRET", "s" * 40)
    monkeypatch.setenv(f"AEGIS_AUDIT_{name}", "0")
    with pytest.raises(ConfigurationError, match=f"AEGIS_AUDIT_{name} must be at least 1"):
        load_settings()
