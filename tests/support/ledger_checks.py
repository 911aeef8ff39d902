"""Checks that must hold after any fault: the gateways' own ledgers agree, and the audit finds nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import NullPool, create_engine

from aegis_worker.audit.batches import check_payments
from aegis_worker.domain.transitions import TERMINAL
from support.installation import SOON_S, Installation, wait_until

_OPEN = """
SELECT p.id FROM payments p
WHERE p.id > %(after)s AND p.state NOT IN ('SUCCESS', 'FAILURE', 'CANCELLED') AND p.frozen_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.payment_id = p.id AND j.status = 'review')
  AND NOT (p.state = 'AUTHORIZED' AND NOT EXISTS (
      SELECT 1 FROM jobs j WHERE j.payment_id = p.id AND j.status IN ('queued', 'running', 'waiting')))
ORDER BY p.id LIMIT 20
"""


class Books:
    """All payments that an installation accepts from now on, no matter who posts them."""

    def __init__(self, running: Installation) -> None:
        self._running = running
        self._after = running.rows("SELECT coalesce(max(id), '') AS id FROM payments")[0]["id"]

    def payment_ids(self) -> list[str]:
        """The ids of all payments in the books."""
        return [row["id"] for row in self._rows("SELECT id FROM payments WHERE id > %(after)s ORDER BY id")]

    def all_ended(self, within_s: float = SOON_S) -> None:
        """Wait until every payment has ended or waits for a person (I2). Fails after `within_s`."""
        wait_until(lambda: not self._rows(_OPEN), within_s, what=lambda: f"still open: {self._rows(_OPEN)}")

    def agree(self) -> None:
        """Nothing was charged twice (I1), SUCCESS means charged (I3), and the audit finds nothing (I2 to I7)."""
        wrong = self._by_the_ledgers() + self._by_the_audit()
        assert not wrong, "\n".join(wrong)

    def _by_the_ledgers(self) -> list[str]:
        payments = self._rows("SELECT * FROM payments WHERE id > %(after)s ORDER BY id")
        # Read after the payments: a charge that is made now belongs to a payment that had not ended when it was read.
        charges = [row for row in self._running.ledgers() if row["captured"] > row["refunded"]]
        known = {row["id"] for row in self._running.rows("SELECT id FROM payments")}
        found = [f"charged for nobody: {row}" for row in charges if row["merchant_payment_id"] not in known]
        for payment in payments:
            own = [row for row in charges if row["merchant_payment_id"] == payment["id"]]
            found += [f"{payment['id']}: {problem}" for problem in _money(payment, own)]
        return found

    def _by_the_audit(self) -> list[str]:
        engine = create_engine(self._running.ready["database_url"], poolclass=NullPool)
        found: list[str] = []
        cursor: str | None = self._after
        with engine.connect() as connection:
            while cursor is not None:
                page = check_payments(connection, cursor)
                found += [f"{each.payment_id}: {each.invariant}, {each.summary}" for each in page.violations]
                cursor = page.cursor
        return found

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        return self._running.rows(sql, after=self._after)


def _money(payment: dict[str, Any], charges: list[dict[str, Any]]) -> list[str]:
    found = []
    if len(charges) > 1:
        found.append(f"charged {len(charges)} times")
    kept = sum(row["captured"] - row["refunded"] for row in charges)
    currencies = {row["currency"] for row in charges}
    if payment["state"] in TERMINAL and kept != payment["captured_minor"] - payment["refunded_minor"]:
        found.append(f"{payment['state']}, and the gateways kept {kept} {currencies}")
    if payment["state"] == "SUCCESS" and (
        not payment["captured_minor"] or currencies != {payment["currency"]}
    ):
        found.append(f"SUCCESS, and the gateways kept {kept} {currencies}")
    return found
