"""The emulator goes on with the ledger that an older version of it has left."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from aegis_worker.emulator.ledger import Ledger
from aegis_worker.emulator.payments import Payment

PAYMENT = Payment(
    id="spay_1",
    reference="pay_1-p1",
    merchant_payment_id="pay_1",
    amount=1999,
    currency="USD",
    capture_method="automatic",
    method="card",
    token="tok_ok",
    metadata={},
    return_url="",
    statement_descriptor="BLUE TICKETS",
    created_at=1.0,
)


def test_a_ledger_from_before_there_were_descriptors_is_kept_and_takes_them(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    before = Ledger(path)
    with before.transaction() as tx:
        tx.add(replace(PAYMENT, id="spay_0", statement_descriptor=""))
    before.close()
    with sqlite3.connect(path) as raw:
        raw.execute("ALTER TABLE payments DROP COLUMN statement_descriptor")
    raw.close()
    for _ in range(2):  # and once more, when it is there
        ledger = Ledger(path)
        with ledger.transaction() as tx:
            kept = tx.payment("spay_0")
            if tx.payment(PAYMENT.id) is None:
                tx.add(PAYMENT)
            added = tx.payment(PAYMENT.id)
        ledger.close()
        assert kept is not None
        assert kept.statement_descriptor == ""
        assert added == PAYMENT
