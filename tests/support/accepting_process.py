"""A process that accepts payments in many threads, as a web process does, for tests of several at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.money import Money
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.errors import AegisError
from aegis_worker.intake import Intake, PaymentCommand
from aegis_worker.persistence.database import Database

from .outbox_events import settings_with


def accept_in_threads(database_url: str, keys: Sequence[str], threads: int) -> list[tuple[str, str, bool]]:
    """The key, the payment's id (or the error's code) and whether it was replayed, for each key."""
    database = Database.connect(settings_with(database_url=database_url), application="test")
    intake = Intake(database, wait_s=20.0)

    def accept(key: str) -> tuple[str, str, bool]:
        terms = PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "tok_ok"}, reference=f"of-{key}")
        try:
            told = intake.accept(
                PaymentCommand(Owner("m_1", "test"), "POST /v1/payments", key, b"h" * 32, terms)
            )
        except AegisError as error:
            return key, error.code, False
        return key, told.payment.id, told.replayed

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(accept, keys))
    database.dispose()
    return answers
