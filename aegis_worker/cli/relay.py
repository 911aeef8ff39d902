"""`aegis relay`: the work of worker and beat in one process, from the database alone, for when there is no Redis."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import click
import structlog

from aegis_worker import reconcile
from aegis_worker.audit.run import audit_on
from aegis_worker.delivery.turn import Turn
from aegis_worker.errors import AegisError
from aegis_worker.gateway_events.disputes import ask_about_due
from aegis_worker.gateway_events.follow import follow
from aegis_worker.gateway_events.verify import verify
from aegis_worker.observability.errors import configure_error_reports
from aegis_worker.observability.redaction import redact_text
from aegis_worker.people.approving import look_after_approvals
from aegis_worker.pipeline.recheck import recheck
from aegis_worker.pipeline.run import run
from aegis_worker.projections.keep import keep
from aegis_worker.purge import purge
from aegis_worker.review.standing import carry_out_due
from aegis_worker.terminal.installation import tables_expected
from aegis_worker.terminal.interrupts import event_on_signals
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, print_table
from aegis_worker.terminal.worker_parts import opened_worker
from aegis_worker.wiring.installation import check_installation
from aegis_worker.wiring.observed import tells
from aegis_worker.wiring.worker import Worker

log = structlog.get_logger(__name__)

# Runs are short, so that events of finished charges go out before the next payments are taken up.
_RUN_LIMIT_S = 2.0
_RECONCILE_EVERY_S, _RECHECK_EVERY_S, _AUDIT_EVERY_S, _PURGE_EVERY_S = 60.0, 15.0, 60.0, 3600.0
_DISPUTES_EVERY_S, _PROJECTIONS_EVERY_S = 60.0, 5.0
_LONGEST_PAUSE_S = 5.0
_LISTENING = Turn()


@dataclass(slots=True)
class RelayReport:
    """What one pass did, step by step, and which steps failed. The work that a failed step left is still due."""

    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def is_idle(self) -> bool:
        """Nothing was due and nothing failed."""
        return not self.failed and not any(step.get("claimed") for step in self.done.values())


class Rota:
    """The chores that are done now and then, not in every pass: reconcile, recheck, disputes, people's decisions, read
    models, audit, purge.
    """

    def __init__(self, parts: Worker) -> None:
        audit = replace(parts.audit, budget_s=min(parts.audit.budget_s, _RUN_LIMIT_S))
        self._chores: dict[str, tuple[float, Callable[[], dict[str, Any]]]] = {
            "reconcile": (
                _RECONCILE_EVERY_S,
                lambda: dict(reconcile.reconcile(parts.reconcile, trigger="beat").found),
            ),
            "recheck": (_RECHECK_EVERY_S, lambda: dict(recheck(parts.recheck))),
            "disputes": (
                _DISPUTES_EVERY_S,
                lambda: dict(ask_about_due(parts.database, parts.gateways, parts.pipeline.exchanges)),
            ),
            "decisions": (_RECHECK_EVERY_S, lambda: _decisions(parts)),
            "purge": (_PURGE_EVERY_S, lambda: dict(purge(parts.database, parts.settings))),
            "projections": (
                _PROJECTIONS_EVERY_S,
                lambda: {"taken_in": keep(parts.database, budget_s=_RUN_LIMIT_S)},
            ),
            "audit": (_AUDIT_EVERY_S, lambda: dict(audit_on(audit).numbers)),
        }
        self._next_at = dict.fromkeys(self._chores, 0.0)

    def due(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """The chores that are due. Each counts as done as soon as this method returns it."""
        now = time.monotonic()
        names = [name for name in self._chores if now >= self._next_at[name]]
        for name in names:
            self._next_at[name] = now + self._chores[name][0]
        return {name: self._chores[name][1] for name in names}


def relay_pass(
    parts: Worker, rota: Rota | None = None, *, stopped: Callable[[], bool] = lambda: False
) -> RelayReport:
    """Once: work on due payments, follow what gateways told, ask about those in doubt, deliver, do the chores that are due.

    A failed step does not prevent the next. No further step begins once `stopped` is set.
    """
    pipeline = replace(parts.pipeline, run_limit_s=min(parts.pipeline.run_limit_s, _RUN_LIMIT_S))
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "payments": lambda: asdict(run(pipeline, "payments")),
        "gateway_events": lambda: verify(parts.webhooks) | follow(parts.gateway_events),
        "verify": lambda: asdict(run(pipeline, "verify")),
        "outbox": lambda: asdict(parts.drain_outbox()),
        "webhooks": lambda: asdict(parts.deliver_webhooks(leave=parts.afterwards.leave)),
        "hooks": lambda: _tell_hooks(parts),
        **(rota.due() if rota else {}),
    }
    report = RelayReport()
    for name, step in steps.items():
        if stopped():
            break
        try:
            with tables_expected(parts.database):
                parts.schema.check()
                report.done[name] = step()
        except AegisError as error:
            # Most often the database is away. The work that was due stays due.
            log.warning("step failed", step=name, error=str(error))
            report.failed[name] = redact_text(str(error))
        except Exception as error:
            # A bug of ours. The jobs that this step had claimed become due again when their leases end.
            log.exception("step failed", step=name)
            report.failed[name] = redact_text(f"{type(error).__name__}: {error}")
    return report


def _decisions(parts: Worker) -> dict[str, Any]:
    return carry_out_due(parts.review) | look_after_approvals(parts.two_person)


def _tell_hooks(parts: Worker) -> dict[str, Any]:
    """Have hooks told of what is due. Those that are slow are told beside the next steps."""
    parts.listening.wake(_LISTENING)
    parts.listening.wait(_RUN_LIMIT_S)
    return {}


@click.command(
    name="relay",
    epilog=examples(
        """
        aegis relay
        aegis relay --once --json    one pass, for cron
        """
    ),
)
@click.option("--once", is_flag=True, help="Make one pass, then exit. Exits with 3 when a step failed.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.05, 60),
    default=0.5,
    show_default=True,
    metavar="SECONDS",
    help="How many seconds to pause after a pass in which nothing was due.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, once: bool, interval_s: float, as_json: bool) -> None:
    """Work without Redis: process, verify, deliver and reconcile from the database, until TERM or Ctrl-C.

    May run beside workers: each job is done by the process that claims it first. TERM or Ctrl-C ends the command after the
    current pass; a second signal ends it at once.
    """
    settings = check_installation()
    configure_error_reports(settings.sentry_dsn, settings.environment)
    stops = event_on_signals((signal.SIGTERM, signal.SIGINT), once=True)
    with opened_worker(log_level=settings.log_level, hinting=False, disturbed=True) as parts, stops as stop:
        rota = Rota(parts)
        if once:
            report = relay_pass(parts, rota, stopped=stop.is_set)
            _print(report, as_json)
            ctx.exit(3 if report.failed else 0)
        tells(settings)
        _loop(parts, rota, stop, interval_s, as_json)


def _loop(parts: Worker, rota: Rota, stop: threading.Event, interval_s: float, as_json: bool) -> None:
    log.info("relay started", interval_s=interval_s)
    pause_s = interval_s
    while not stop.is_set():
        report = relay_pass(parts, rota, stopped=stop.is_set)
        if not report.is_idle:
            worked = {name: done for name, done in report.done.items() if done.get("claimed")}
            if worked:
                log.info("pass", work=worked)
            if as_json:
                print_json(asdict(report), one_line=True)
        if report.failed:
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            stop.wait(pause_s)
        else:
            pause_s = interval_s
            if report.is_idle:
                stop.wait(interval_s)
    log.info("relay stopped")


def _print(report: RelayReport, as_json: bool) -> None:
    if as_json:
        print_json(asdict(report))
        return
    rows = [
        (step, ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in done.items() if value) or "–")
        for step, done in report.done.items()
    ]
    print_table("One pass", ("step", "what it did"), rows)
    if report.failed:
        print_facts("Failed", report.failed)
