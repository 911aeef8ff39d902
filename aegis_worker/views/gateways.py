"""The JSON forms of a gateway, of its health and of a pause."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.registry import package_of
from aegis_worker.persistence.gateway_pauses import Pause
from aegis_worker.queries.gateway_reports import GatewayReport
from aegis_worker.resilience.health import Figures
from aegis_worker.resilience.monitor import Live
from aegis_worker.resilience.permits import BreakerView, Counted

from .values import rounded


def gateway_body(report: GatewayReport) -> dict[str, Any]:
    """One gateway. `health` is null while Redis can't be asked."""
    config = report.config
    return {
        "object": "gateway",
        "name": config.name,
        "adapter": config.adapter,
        "package": package_of(config.adapter),
        "mode": config.mode,
        "account": config.account,
        "enabled": config.enabled,
        "paused": report.paused and pause_body(report.paused),
        "health": report.live and _health_body(report.live),
        "limits": _limits_body(config),
        "fees": {"fixed_minor": config.fee_fixed_minor, "basis_points": config.fee_basis_points},
    }


def pause_body(pause: Pause) -> dict[str, Any]:
    """Since when a gateway has got no new payments, who paused it, and why."""
    return {"since": rfc3339(pause.paused_at), "actor": pause.actor, "reason": pause.reason}


def _health_body(live: Live) -> dict[str, Any]:
    return {
        "score": round(live.health.score, 4),
        "state": live.health.state.value,
        "retry_in_s": round(live.health.retry_in_s, 1),
        "in_flight": live.in_flight,
        "calls_per_s": round(live.calls_per_s, 3),
        "breakers": [_breaker_body(operation, view) for operation, view in sorted(live.breakers.items())],
        "recent": _window_body(live.recent),
        "last_hour": _window_body(live.last_hour),
    }


def _breaker_body(operation: str, view: BreakerView) -> dict[str, Any]:
    return {
        "operation": operation,
        "state": view.state.value,
        "retry_in_s": round(view.retry_in_s, 1),
        "consecutive_failures": view.consecutive_failures,
        "calls": view.calls,
        "failure_rate": rounded(view.failure_rate, 4),
        "unknown_rate": rounded(view.unknown_rate, 4),
        "opened": view.opened,
        "probes_out": view.probes_out,
    }


def _window_body(figures: Figures) -> dict[str, Any]:
    latency = figures.latency
    return {
        "calls": figures.volume,
        "outcomes": {counted.value: figures.counts.get(counted, 0) for counted in Counted},
        "success_rate": rounded(figures.success_rate, 4),
        "decline_rate": rounded(figures.decline_rate, 4),
        "error_rates": {word: round(rate, 4) for word, rate in figures.error_rates.items()},
        "latency_ms": {
            "mean": rounded(latency.mean_ms, 1),
            "p50": rounded(latency.p50_ms, 1),
            "p95": rounded(latency.p95_ms, 1),
            "p99": rounded(latency.p99_ms, 1),
        },
        "calls_per_s": round(figures.calls_per_s, 3),
    }


def _limits_body(config: GatewayConfig) -> dict[str, Any]:
    return {
        "currencies": sorted(config.currencies),
        "countries": sorted(config.countries),
        "methods": sorted(config.methods),
        "amounts": {
            currency: {"min_minor": limits.min_minor, "max_minor": limits.max_minor}
            for currency, limits in sorted(config.amounts.items())
        },
        "max_concurrent": config.max_concurrent,
        "calls_per_s": config.calls_per_s,
        "connect_timeout_s": config.connect_timeout_s,
        "timeout_s": config.timeout_s,
        "latency_target_ms": config.latency_target_ms,
    }


def paused_body(gateway: str, *, paused: bool, changed: bool) -> dict[str, Any]:
    """Whether a gateway is paused now."""
    return {"object": "gateway_pause", "gateway": gateway, "paused": paused, "changed": changed}
