"""Tasks that find lost work, reconcile, audit, and delete old rows."""

from __future__ import annotations

from aegis_worker import reconcile
from aegis_worker.audit.run import audit_on
from aegis_worker.celery import app
from aegis_worker.gateway_events.disputes import ask_about_due
from aegis_worker.holds import look_after_holds
from aegis_worker.people.approving import look_after_approvals
from aegis_worker.pipeline.recheck import recheck
from aegis_worker.projections.keep import keep
from aegis_worker.purge import purge
from aegis_worker.review.standing import carry_out_due
from aegis_worker.wiring import process

# Of one run; the next run forgets the rest.
_MOST_REQUESTS = 50_000


@app.task(name="maintenance.sweep")
def sweep() -> dict[str, int]:
    """Look after holds that are about to end, and send again the hints of due jobs."""
    parts = process.worker()
    look_after_holds(parts.database, parts.settings.release_holds_before_s)
    return reconcile.sweep(parts.database, parts.hints)


@app.task(name="maintenance.reconcile")
def reconcile_now() -> dict[str, int]:
    """Look for stuck payments that no ladder of look-ups covers."""
    return reconcile.reconcile(process.worker().reconcile, trigger="beat").found


@app.task(name="maintenance.recheck")
def recheck_charges() -> dict[str, int]:
    """Ask again about charges that were refused or absent."""
    return recheck(process.worker().recheck)


@app.task(name="maintenance.disputes")
def ask_about_disputes() -> dict[str, int]:
    """Ask again about disputes that their gateways have yet to decide."""
    parts = process.worker()
    return ask_about_due(parts.database, parts.gateways, parts.pipeline.exchanges)


@app.task(name="maintenance.decisions")
def carry_out_decisions() -> dict[str, int]:
    """Ask about people's decisions that no gateway has confirmed, and look after what waits for a second person."""
    parts = process.worker()
    return carry_out_due(parts.review) | look_after_approvals(parts.two_person)


@app.task(name="maintenance.audit")
def audit() -> dict[str, int]:
    """Check the invariants from where the last run stopped."""
    return audit_on(process.worker().audit).numbers


@app.task(name="maintenance.gauges")
def tell_gauges() -> None:
    """Hand what is asked of the shared state to the sinks that want to be told."""
    process.tell_gauges()


@app.task(name="maintenance.projections")
def keep_projections() -> dict[str, int]:
    """Take into the read models what events have changed."""
    return {"taken_in": keep(process.worker().database)}


@app.task(name="maintenance.purge")
def purge_old() -> dict[str, int]:
    """Delete rows whose retention has ended."""
    parts = process.worker()
    purged = purge(parts.database, parts.settings)
    if parts.vault is not None:
        hours = parts.settings.idempotency_keep_h
        purged["vault_requests"] = parts.vault.forget_requests(hours=hours, most=_MOST_REQUESTS)
    return purged
