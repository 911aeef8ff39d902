"""Leases that could end while their holder is still at work are refused before anything is worked on."""

from __future__ import annotations

import pytest
from support.command_line import install

from aegis_worker.errors import ConfigurationError
from aegis_worker.hints import NoHints
from aegis_worker.settings import load_settings
from aegis_worker.wiring.worker import build_worker


@pytest.mark.parametrize(
    ("shorter", "named"),
    [
        ({"AEGIS_LEASE_S": "5"}, "AEGIS_LEASE_S"),
        ({"AEGIS_OUTBOX_LEASE_S": "5", "AEGIS_WEBHOOK_TIMEOUT_S": "5"}, "AEGIS_OUTBOX_LEASE_S"),
    ],
)
def test_a_lease_shorter_than_what_it_covers_is_refused(
    monkeypatch: pytest.MonkeyPatch, shorter: dict[str, str], named: str
) -> None:
    install(monkeypatch, "postgresql://nobody@127.0.0.1:1/none", **shorter)
    with pytest.raises(ConfigurationError, match=named):
        build_worker(load_settings(), hints=NoHints())
