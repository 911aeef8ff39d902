"""More about one line of `aegis top`: what explain says of a payment, a gateway's breakers, what waits elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from aegis_worker.queries.case_file import read_case_file
from aegis_worker.queries.explain import explain
from aegis_worker.queries.gateway_reports import GatewayReport
from aegis_worker.queries.wording import duration, money
from aegis_worker.terminal.output import plain
from aegis_worker.wiring.worker import Worker

from .look import MOST_ROWS, Look

_WAITING_AT = """
SELECT payment_id, seq, tries, due_at, log -> -1 ->> 'error' AS error FROM webhook_deliveries
WHERE status = 'pending' AND endpoint_id = %(endpoint)s ORDER BY endpoint_id, due_at LIMIT %(limit)s
"""
_DUE_IN = """
SELECT id, payment_id, operation, status, run_at, reason FROM jobs
WHERE finished_at IS NULL AND NOT in_review AND queue = %(queue)s ORDER BY run_at LIMIT %(limit)s
"""


def detail(parts: Worker, panel: str, key: str, seen: Look) -> str:
    """What there is to say of the line with this key. Raises DatabaseUnavailable."""
    if panel == "2":
        return "\n".join(
            line for report in seen.gateways if report.config.name == key for line in _gateway(report)
        )
    with parts.database.read() as connection:
        if panel in ("3", "4"):
            return "\n".join(_payment(connection, key))
        if panel == "5":
            return "\n".join(_endpoint(connection, key))
        return "\n".join(_queue(connection, key))


def _payment(connection: Connection, payment_id: str) -> Iterator[str]:
    case = read_case_file(connection, None, payment_id)
    if case is None:
        yield f"{payment_id} is gone"
        return
    said, payment = explain(case), case.stored.payment
    yield f"{payment.id}  {payment.state.value}  {money(payment.amount.minor, payment.amount.currency)}"
    yield f"merchant   {payment.merchant_id}"
    yield f"why        {said.why}"
    yield f"certainty  {payment.certainty}: {said.certainty_because}"
    yield f"next       {said.next.what}" + (f", at {plain(said.next.at)} UTC" if said.next.at else "")
    yield ""
    yield from (f"{plain(seen.at)}  {seen.source.replace('_', ' ')}: {seen.what}" for seen in said.evidence)
    yield ""
    yield f"aegis explain {payment.id}    aegis timeline {payment.id}"


def _gateway(report: GatewayReport) -> Iterator[str]:
    yield report.config.name + (
        f"  paused by {report.paused.actor}: {report.paused.reason}" if report.paused else ""
    )
    if report.live is None:
        yield "Redis can't be asked, so its health is not known"
        return
    for operation, view in sorted(report.live.breakers.items()):
        yield f"{operation:<14} {view.state.value:<10} opened {view.opened} times, {view.calls_out} calls out"
    hour = report.live.last_hour
    yield ""
    yield f"last hour: {hour.volume} calls, " + ", ".join(
        f"{counted.value} {count}" for counted, count in hour.counts.items()
    )
    yield from (f"  {word}: {100 * rate:.1f} %" for word, rate in hour.error_rates.items() if rate)


def _endpoint(connection: Connection, endpoint_id: str) -> Iterator[str]:
    yield endpoint_id
    for row in connection.exec_driver_sql(_WAITING_AT, {"endpoint": endpoint_id, "limit": MOST_ROWS}):
        yield f"{row.payment_id} #{row.seq}  tried {row.tries} times, again at {plain(row.due_at)} UTC  {row.error or ''}"


def _queue(connection: Connection, queue: str) -> Iterator[str]:
    rows = connection.exec_driver_sql(_DUE_IN, {"queue": queue, "limit": MOST_ROWS}).all()
    yield f"{queue}: the oldest first" if rows else f"{queue}: nothing to show"
    for job_id, payment_id, operation, status, run_at, reason in rows:
        yield f"{job_id}  {payment_id}  {operation}  {status}  {plain(run_at)} UTC  {reason or ''}"


def as_text(seen: Look, since_s: float) -> str:
    """How old what is shown is, for the last line."""
    return f"as of {plain(seen.as_of)} UTC" + (f", {duration(since_s)} ago" if since_s >= 10 else "")
