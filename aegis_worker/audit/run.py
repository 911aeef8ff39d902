"""Runs of the audit: from where the last one stopped (beat), or over everything (an operator), with what follows.

What follows: a payment whose history is broken is frozen, incidents are opened and resolved, long histories get
snapshots. A batch is read in one statement and written down in another transaction: nothing is locked meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import structlog
from sqlalchemy import Connection

from aegis_worker.crash_points import crash_point
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.comparison import Comparison
from aegis_worker.observability.tracing import TRACING
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.ended_payments import EndedPayment, ended_payments
from aegis_worker.persistence.mapping import payments_now
from aegis_worker.pipeline.comparing import compared
from aegis_worker.pipeline.exchanges import NOTHING_KEPT, Exchanges

from .batches import check_keys, check_payments, pages
from .freeze import freeze_if_broken
from .incidents import write_down
from .snapshots import keep_snapshots
from .violations import Bounds, Finding, Page, Violation, gather

log = structlog.get_logger(__name__)

_CURSOR = "SELECT position FROM audit_cursors WHERE name = %(name)s"
_MOVE = """
INSERT INTO audit_cursors (name, position, rounds) VALUES (%(name)s, %(position)s, %(wrapped)s::int)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = clock_timestamp(),
    rounds = audit_cursors.rounds + excluded.rounds
"""


@dataclass(frozen=True, slots=True)
class AuditParts:
    """What an audit needs. `batch`: rows in one. `budget_s`: for how long a run of beat's tick begins new batches."""

    database: Database
    gateways: Mapping[str, PaymentGateway]
    bounds: Bounds
    batch: int
    budget_s: float
    exchanges: Exchanges = NOTHING_KEPT


@dataclass(slots=True)
class AuditReport:
    """How far a run looked, what it found, and what it did about it. `compared` and `unanswered`: with gateways."""

    payments: int = 0
    keys: int = 0
    compared: int = 0
    unanswered: int = 0
    first_id: str | None = None
    last_id: str | None = None
    violations: list[Violation] = field(default_factory=list)
    frozen: list[str] = field(default_factory=list)
    opened: int = 0
    resolved: int = 0
    snapshots: int = 0

    @property
    def numbers(self) -> dict[str, int]:
        """The report without its evidence."""
        return {
            "payments": self.payments,
            "keys": self.keys,
            "violations": len(self.violations),
            "frozen": len(self.frozen),
            "opened": self.opened,
            "resolved": self.resolved,
            "snapshots": self.snapshots,
        }


def audit_on(parts: AuditParts) -> AuditReport:
    """Go on from where the last run stopped, for `budget_s`. After the last payment, the next run begins again.

    Two runs at once do the same work twice and write the same result. Raises DatabaseUnavailable.
    """
    report = AuditReport()
    stop_at = time.monotonic() + parts.budget_s
    looks: dict[str, Callable[[Connection, str], Page]] = {
        "payments": lambda tx, after: check_payments(tx, after, parts.batch, parts.bounds),
        "keys": lambda tx, after: check_keys(tx, after, parts.batch),
    }
    for name, look in looks.items():
        cursor: str | None = _position(parts.database, name)
        # Check at least one batch of payments and one of keys, however little time there is.
        while cursor is not None:
            with parts.database.read() as connection:
                page = look(connection, cursor)
            _follow(parts, report, page)
            cursor = page.cursor
            parts.database.run(partial(_move, name=name, position=cursor))
            if time.monotonic() >= stop_at:
                break
    return report


def audit_all(
    parts: AuditParts,
    *,
    after: str = "",
    ask_gateways: bool = False,
    looked_at: Callable[[int], None] = lambda payments: None,
) -> AuditReport:
    """Every payment with an id after `after`, from the first event on, and every key; then, if asked, the gateways.

    `looked_at` is told of progress, in payments. Raises DatabaseUnavailable.
    """
    report = AuditReport()
    for page in pages(parts.database, parts.bounds, after=after, batch=parts.batch, whole=True):
        _follow(parts, report, page)
        if page.looked == "payments":
            looked_at(len(page.payment_ids))
    if ask_gateways:
        for page in _compared(parts, report, after):
            _follow(parts, report, page)
    return report


def _compared(parts: AuditParts, report: AuditReport, after: str) -> Iterator[Page]:
    ask = partial(compared, parts.gateways, parts.exchanges)
    with ThreadPoolExecutor(8, thread_name_prefix="compare") as pool:
        for ended in ended_payments(parts.database, after=after, page=parts.batch):
            comparisons = _as_they_still_are(parts, ended, list(pool.map(TRACING.carried(ask), ended)))
            parts.exchanges.write()
            answered = [comparison for comparison in comparisons if comparison.is_answered]
            report.compared += len(comparisons)
            report.unanswered += len(comparisons) - len(answered)
            found = [violation for comparison in answered for violation in _disagreement(comparison)]
            ids = [comparison.payment_id for comparison in answered]
            yield Page("gateways", ids, found, None)


def _as_they_still_are(
    parts: AuditParts, ended: Sequence[EndedPayment], comparisons: Sequence[Comparison]
) -> list[Comparison]:
    """The comparisons, but for those of payments that moved while their gateways were asked: they may have told why."""
    differing = [one.payment_id for one in comparisons if one.differs]
    if not differing:
        return list(comparisons)
    versions = {each.payment.id: each.payment.version for each in ended}
    now = parts.database.run(lambda connection: payments_now(connection, differing))
    return [
        one
        for one in comparisons
        if not one.differs or now[one.payment_id].version == versions[one.payment_id]
    ]


def _disagreement(comparison: Comparison) -> list[Violation]:
    if not comparison.differs:
        return []
    evidence = {"state": comparison.state.value, "gateways": [dict(answer) for answer in comparison.gateways]}
    finding = Finding("I3", f"we say {comparison.state}; {comparison.in_words}", evidence)
    return gather(comparison.payment_id, [finding])


def _follow(parts: AuditParts, report: AuditReport, page: Page) -> None:
    """Write down and repair what a page found, and add it to the report."""
    found = _frozen_where_broken(parts, report, page)
    crash_point("audit.looked")
    opened, resolved = parts.database.run(
        lambda tx: write_down(tx, page.looked, page.payment_ids, found),
    )
    if opened:
        log.error("incidents opened", incidents=opened[:10], number=len(opened))
    crash_point("audit.written")
    if page.long:
        report.snapshots += parts.database.run(lambda tx: keep_snapshots(tx, page.long, parts.bounds))
    report.opened += len(opened)
    report.resolved += resolved
    report.violations += found
    if page.looked == "payments":
        report.payments += len(page.payment_ids)
        report.first_id = report.first_id or next(iter(page.payment_ids), None)
        report.last_id = page.payment_ids[-1] if page.payment_ids else report.last_id
    elif page.looked == "keys":
        report.keys += len(page.payment_ids)


def _frozen_where_broken(parts: AuditParts, report: AuditReport, page: Page) -> list[Violation]:
    """Freeze payments whose history is broken. For those, return what a second look with their rows locked has found."""
    broken = sorted({violation.payment_id for violation in page.violations if violation.breaks_history})
    found = [violation for violation in page.violations if violation.payment_id not in broken]
    for payment_id in broken:
        is_frozen, seen = parts.database.run(
            partial(freeze_if_broken, payment_id=payment_id, bounds=parts.bounds)
        )
        if is_frozen:
            report.frozen.append(payment_id)
        found += seen
    return found


def _position(database: Database, name: str) -> str:
    with database.read() as connection:
        return connection.exec_driver_sql(_CURSOR, {"name": name}).scalar_one_or_none() or ""


def _move(connection: Connection, *, name: str, position: str | None) -> None:
    parameters = {"name": name, "position": position or "", "wrapped": position is None}
    connection.exec_driver_sql(_MOVE, parameters)
