"""What is stuck, what people decided, what the audit found, and what was compared with gateways."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from aegis_api.http.parts import parts
from aegis_api.http.requests import known_form
from aegis_worker.audit import incidents
from aegis_worker.audit.violations import INVARIANTS
from aegis_worker.errors import NotFound
from aegis_worker.ids import RECONCILIATION
from aegis_worker.persistence import audit_log
from aegis_worker.queries.reconciliations import get_run, list_runs
from aegis_worker.queries.stuck import Thresholds, list_stuck
from aegis_worker.views.audit_log import audit_entry_body
from aegis_worker.views.incidents import incident_body
from aegis_worker.views.pages import list_body
from aegis_worker.views.reconciliations import run_body
from aegis_worker.views.stuck import stuck_body

from .addresses import cursor, queried
from .blueprint import blueprint
from .exports import MOST_ROWS, as_csv

_SHOWN = 50
_HASHES_CHECKED = 200
_MISMATCH = ("payment_id", "we_say", "gateway", "key", "answer", "expected", "found")
_COLUMNS = ("seq", "at", "actor", "action", "payment_id", "details", "hash")


@blueprint.route("/stuck")
def show_stuck() -> str:
    """What should have moved on by itself and has not, kind by kind."""
    thresholds = Thresholds()
    with parts().web.database.read() as connection:
        body = stuck_body(list_stuck(connection, thresholds, limit=_SHOWN))
    return render_template("console/stuck.html", stuck=body, thresholds=asdict(thresholds))


@blueprint.route("/audit-log")
def show_audit_log() -> str:
    """Who decided what, newest first; of one person, action or payment."""
    given = queried("actor", "action", "payment_id")
    with parts().web.database.read() as connection:
        found = audit_log.list_entries(
            connection, limit=_SHOWN + 1, before_seq=_number(request.args.get("after")), **given
        )
        chain = audit_log.verify_newest(connection, most=_HASHES_CHECKED)
    page = found[:_SHOWN]
    cursor = str(page[-1].seq) if len(found) > _SHOWN else None
    body = list_body([audit_entry_body(entry) for entry in page], cursor)
    return render_template(
        "console/audit_log.html", page=body, given=given, after=request.args.get("after"), chain=chain
    )


@blueprint.route("/audits")
def show_audits() -> str:
    """What the audit found, how far it looked, and how to make the other reports."""
    is_open = request.args.get("open") != "all"
    with parts().web.database.read() as connection:
        found = incidents.list_incidents(connection, is_open=True if is_open else None, limit=_SHOWN)
        cursors = _cursors(connection)
    return render_template(
        "console/audits.html",
        incidents=[incident_body(incident) for incident in found],
        is_open=is_open,
        cursors=cursors,
        invariants=INVARIANTS,
    )


@blueprint.route("/reconciliation")
def show_reconciliation() -> str:
    """The newest runs, with what each found and repaired."""
    with parts().web.database.read() as connection:
        runs = list_runs(connection, limit=_SHOWN, starting_after=cursor("after"))
    body = list_body([run_body(run) for run in runs.rows], runs.next_cursor)
    return render_template("console/reconciliation.html", page=body, after=cursor("after"))


@blueprint.route("/reconciliation/<run_id>.csv")
def export_run(run_id: str) -> ResponseReturnValue:
    """What differed in one run: a line for each answer of a gateway about each payment."""
    with parts().web.database.read() as connection:
        run = get_run(connection, known_form(run_id, RECONCILIATION))
    if run is None:
        raise NotFound("There is no such run of reconciliation.")
    told = ("gateway", "key", "says", "expected", "found")
    rows = [
        [each["payment_id"], each["state"], *(says.get(name) for name in told)]
        for each in run.mismatches
        for says in each["gateways"]
    ]
    has_all = run.found.get("mismatches", 0) <= len(run.mismatches)
    name = f"reconciliation-{run.id}" if has_all else f"reconciliation-{run.id}-first-{len(run.mismatches)}"
    return as_csv(name, _MISMATCH, rows, is_whole=True)


@blueprint.route("/audit-log.csv")
def export_audit_log() -> ResponseReturnValue:
    """The newest entries that match, with their hashes."""
    given = queried("actor", "action", "payment_id")
    before = _number(request.args.get("after"))
    with parts().web.database.read() as connection:
        found = audit_log.list_entries(connection, limit=MOST_ROWS + 1, before_seq=before, **given)
    rows = [
        [entry.seq, entry.at, entry.actor, entry.action, entry.payment_id, entry.details, entry.hash.hex()]
        for entry in found[:MOST_ROWS]
    ]
    return as_csv("audit-log", _COLUMNS, rows, is_whole=len(found) <= MOST_ROWS)


def _cursors(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.exec_driver_sql(
        "SELECT name, rounds, updated_at FROM audit_cursors ORDER BY name LIMIT 20"
    )
    return [{"name": row.name, "rounds": row.rounds, "updated_at": row.updated_at} for row in rows]


def _number(written: str | None) -> int | None:
    if written is None or not (written.isascii() and written.isdecimal()) or len(written) > 18:
        return None
    return int(written)
