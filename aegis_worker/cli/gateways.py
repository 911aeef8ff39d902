"""`aegis gateways`: the health of the payment gateways."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import click

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.errors import OperatorError
from aegis_worker.gateways.registry import package_of
from aegis_worker.queries.gateway_reports import GatewayReport, report_gateways
from aegis_worker.resilience.health import Figures, Latency
from aegis_worker.resilience.permits import STATUS
from aegis_worker.terminal.output import (
    duration,
    examples,
    json_option,
    plain,
    print_json,
    print_table,
    redrawn_table,
)
from aegis_worker.terminal.worker_parts import opened_worker
from aegis_worker.views.gateways import gateway_body
from aegis_worker.views.pages import list_body
from aegis_worker.wiring.worker import Worker

from .pauses import pause, resume

NO_HEALTH = (
    "Redis can't be asked, so the health of the gateways is not known; payments are accepted, and `aegis relay` works on "
    "them, by what it sees itself"
)
_COLUMNS = (
    "gateway",
    "adapter",
    "breaker",
    "score",
    "success",
    "declines",
    "errors",
    "p50/p95/p99 ms",
    "calls/min",
    "in flight",
    "retry in",
)
_SPARE = ("adapter", "calls/min", "in flight")


@click.group(
    name="gateways",
    invoke_without_command=True,
    epilog=examples(
        """
        aegis gateways
        aegis gateways --watch
        aegis gateways --json
        aegis gateways pause sandbox_a --reason "their maintenance window"
        aegis gateways resume sandbox_a
        """
    ),
)
@click.option("--watch", is_flag=True, help="Show the table again and again, until Ctrl-C.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.2, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="With --watch: the seconds between two looks.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, watch: bool, interval_s: float, as_json: bool) -> None:
    """Show each gateway's circuit breaker, its score, and the results of its last 100 calls of the last hour.

    The breaker shown is the worst of those that a charge needs; look-ups have a breaker of their own. The success rate is
    over the calls that say something about the gateway, and the decline rate over the calls that were answered. The score
    uses the calls since the breaker last closed. --json shows every breaker and all calls of the last hour. Exits with 3
    when Redis does not answer.
    """
    if ctx.invoked_subcommand is not None:
        return
    with opened_worker(log_level="ERROR", hinting=False) as parts:
        if watch:
            with suppress(KeyboardInterrupt):
                _watch(parts, interval_s, as_json)
            return
        reports = _look(parts)
        if as_json:
            print_json(list_body([gateway_body(report) for report in reports], None))
        else:
            print_table("Gateways", _COLUMNS, [_row(report) for report in reports], spare=_SPARE)
        if not _is_known(reports):
            raise OperatorError(NO_HEALTH)


command.add_command(pause)
command.add_command(resume)


def _watch(parts: Worker, interval_s: float, as_json: bool) -> None:
    with redrawn_table(_SPARE) as draw:
        while True:
            reports = _look(parts)
            if as_json:
                print_json(list_body([gateway_body(report) for report in reports], None), one_line=True)
            else:
                title = f"Gateways, {plain(datetime.now(UTC))} UTC"
                draw(
                    title if _is_known(reports) else f"{title}: {NO_HEALTH}",
                    _COLUMNS,
                    [_row(report) for report in reports],
                )
            time.sleep(interval_s)


def _look(parts: Worker) -> Sequence[GatewayReport]:
    return report_gateways(parts.database, parts.gateways, parts.monitor)


def _is_known(reports: Sequence[GatewayReport]) -> bool:
    return all(report.live is not None for report in reports)


def _row(report: GatewayReport) -> tuple[object, ...]:
    live, name, adapter = report.live, report.config.name, _adapter(report)
    if live is None:
        return name, adapter, _circuit(report), *(None,) * (len(_COLUMNS) - 3)
    recent, retry_in_s = live.recent, live.health.retry_in_s
    return (
        name,
        adapter,
        _circuit(report),
        f"{live.health.score:.2f}",
        _percent(recent.success_rate),
        _percent(recent.decline_rate),
        _errors(recent),
        _milliseconds(recent.latency),
        f"{60 * live.calls_per_s:.0f}",
        live.in_flight,
        duration(retry_in_s) if retry_in_s else None,
    )


def _adapter(report: GatewayReport) -> str:
    """Its name, and the installed package that it comes from, where it does not ship."""
    package = package_of(report.config.adapter)
    return report.config.adapter if package is None else f"{report.config.adapter} of {package}"


def _circuit(report: GatewayReport) -> str | None:
    look_ups = report.live and report.live.breakers.get(STATUS)
    words = (
        "disabled" if not report.config.enabled else None,
        "paused" if report.paused is not None else None,
        report.live and report.live.health.state.value,
        f"look-ups {look_ups.state.value}"
        if look_ups and look_ups.state is not BreakerState.CLOSED
        else None,
    )
    return ", ".join(word for word in words if word) or None


def _errors(recent: Figures) -> str | None:
    return ", ".join(f"{word} {100 * rate:.1f}%" for word, rate in recent.error_rates.items()) or None


def _percent(rate: float | None) -> str | None:
    return None if rate is None else f"{100 * rate:.1f} %"


def _milliseconds(latency: Latency) -> str | None:
    if latency.p50_ms is None or latency.p95_ms is None or latency.p99_ms is None:
        return None
    return f"{latency.p50_ms:.0f}/{latency.p95_ms:.0f}/{latency.p99_ms:.0f}"
