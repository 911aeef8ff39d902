"""`aegis doctor`'s checks of the gateways: whether they answer, and which get no payments and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.queries.gateway_reports import GatewayReport
from aegis_worker.routing.book import RoutingTable
from aegis_worker.terminal.output import duration

from .checks import Check, fail, ok, warn

_LET_IT_TELL = "give its webhook_secret_env a value: without it a payment in doubt waits for a person"


def answers(gateways: Sequence[PaymentGateway]) -> Iterator[Check]:
    """Whether each enabled gateway answers. All are asked at the same time."""
    enabled = [gateway for gateway in gateways if gateway.config.enabled]
    if not enabled:
        yield fail("gateways", "none is enabled", "enable one in config/gateways.toml")
        return
    with ThreadPoolExecutor(len(enabled)) as pool:
        told = list(pool.map(lambda gateway: gateway.health_check(), enabled))
    for gateway, health in zip(enabled, told, strict=True):
        name = f"gateway {gateway.config.name}"
        if health.ok:
            yield ok(name, f"answers in {health.latency_ms} ms")
        else:
            yield warn(name, health.detail or "no answer", "payments go to the others; ask the provider")
        if not gateway.capabilities.look_ups and not gateway.config.webhook_secrets:
            yield fail(name, "can't be asked, and no webhook secret lets it tell", _LET_IT_TELL)
    if not any(health.ok for health in told):
        yield fail(
            "gateways", "none answers", "check this host's network; payments wait or fail until one answers"
        )


def breakers(reports: Sequence[GatewayReport]) -> Iterator[Check]:
    """Open circuit breakers, as far as Redis knows, and paused gateways. Disabled gateways are left out."""
    enabled = [report for report in reports if report.config.enabled]
    for report in enabled:
        name, seen = report.config.name, _open(report)
        if report.paused is not None:
            advice = f"it gets no new payments; `aegis gateways resume {name}` when its time is over"
            yield warn(f"pause of {name}", report.paused.reason, advice)
        if seen:
            advice = (
                "it is tried again by itself; `aegis gateways` says what failed, perhaps its status page why"
            )
            yield warn(f"breakers of {name}", seen, advice)
    if enabled and all(report.paused is not None or _charges_open(report) for report in enabled):
        advice = "payments wait: resume a gateway, or wait until one is tried again"
        yield fail("routing", "every gateway is paused or its breaker open", advice)
    elif all(report.live is not None and not _open(report) for report in enabled):
        yield ok("breakers", "none is open")


def routing_version(table: RoutingTable) -> Iterator[Check]:
    """Whether the routing configuration in force works with the gateways of this machine."""
    name = "routing version"
    if table.unusable is not None:
        advice = "give every worker the same config/gateways.toml and restart it, or put another with `aegis routing apply`"
        yield warn(name, table.unusable, advice)
    else:
        yield ok(name, "config/routing.toml" if table.source == "file" else f"{table.version} holds")


def _open(report: GatewayReport) -> str:
    """A gateway's open breakers in words. Empty if there are none, or if they are unknown."""
    views = report.live.breakers if report.live else {}
    return ", ".join(
        f"{operation} open, tried again in {duration(view.retry_in_s)}"
        for operation, view in sorted(views.items())
        if view.state is BreakerState.OPEN
    )


def _charges_open(report: GatewayReport) -> bool:
    return report.live is not None and report.live.health.state is BreakerState.OPEN
