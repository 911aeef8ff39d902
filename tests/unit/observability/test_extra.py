"""What needs the extra `otel` is refused before a process starts, where that is not installed."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from support.api_client import settings_for

from aegis_worker.errors import ConfigurationError
from aegis_worker.observation_settings import load_observation_settings
from aegis_worker.wiring.metrics import check_extra


@pytest.mark.parametrize("environ", [{"AEGIS_TRACES": "otlp"}, {"AEGIS_METRICS_SINKS": "otlp"}])
def test_it_is_refused_by_name_with_what_to_install(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(
        settings_for("postgresql://a@127.0.0.1/a"), observation=load_observation_settings(environ)
    )
    check_extra(settings)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"aegispay\[otel\]"):
        check_extra(settings)
    check_extra(settings_for("postgresql://a@127.0.0.1/a"))
