"""Payments as they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, func, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.payment import Certainty, Payment
from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.ids import PAYMENT
from aegis_worker.persistence.mapping import payment_from_row
from aegis_worker.persistence.tables.payments import payments

from .page import Page, created_before, created_since, newest_first, of_owner


class StoredPayment(Struct, frozen=True):
    """A payment with the times of its row."""

    payment: Payment
    created_at: datetime
    updated_at: datetime


class PaymentFilters(Struct, frozen=True):
    """What to list; None leaves a condition out. Amounts in minor units, bounds as the names say."""

    state: State | None = None
    gateway: str | None = None
    reference: str | None = None
    customer_id: str | None = None
    currency: str | None = None
    amount_gte: int | None = None
    amount_lte: int | None = None
    created_gte: datetime | None = None
    created_lt: datetime | None = None
    certainty: Certainty | None = None
    error_code: str | None = None


def get_payment(connection: Connection, owner: Owner | None, payment_id: str) -> StoredPayment | None:
    """One payment, or None where this owner has none with that id."""
    statement = of_owner(select(payments).where(payments.c.id == payment_id), payments, owner)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else stored_payment(cast("Mapping[str, Any]", row))


# Searches merchant by merchant, because the index begins with the merchant. Every merchant with payments has had a key.
_BY_REFERENCE = """
SELECT p.* FROM (
    SELECT DISTINCT merchant_id FROM api_keys WHERE %(merchant_id)s IS NULL OR merchant_id = %(merchant_id)s
    UNION SELECT %(merchant_id)s WHERE %(merchant_id)s IS NOT NULL
) m CROSS JOIN LATERAL (
    SELECT * FROM payments
    WHERE merchant_id = m.merchant_id AND reference IS NOT NULL
        AND aegis_same_name(reference) = aegis_same_name(%(reference)s)
    LIMIT %(limit)s
) p ORDER BY p.id DESC LIMIT %(limit)s
"""


def with_reference(
    connection: Connection, reference: str, *, merchant_id: str | None, limit: int
) -> list[StoredPayment]:
    """The newest payments that carry the reference, those that failed too; of any merchant where none is given."""
    names = {"merchant_id": merchant_id, "reference": reference, "limit": limit}
    rows = connection.exec_driver_sql(_BY_REFERENCE, names).mappings()
    return [stored_payment(cast("Mapping[str, Any]", row)) for row in rows]


def get_state(connection: Connection, owner: Owner | None, payment_id: str) -> State | None:
    """The state alone: what a caller who waits for the end reads again and again."""
    statement = of_owner(select(payments.c.state).where(payments.c.id == payment_id), payments, owner)
    state = connection.execute(statement).scalar_one_or_none()
    return None if state is None else State(state)


def list_payments(
    connection: Connection,
    owner: Owner | None,
    filters: PaymentFilters,
    *,
    limit: int,
    starting_after: str | None = None,
) -> Page[StoredPayment]:
    """Payments that meet every filter, newest first."""
    statement = of_owner(select(payments), payments, owner).where(*conditions(filters))
    return newest_first(
        connection, statement, payments.c.id, stored_payment, limit=limit, starting_after=starting_after
    )


def conditions(
    filters: PaymentFilters, columns: ReadOnlyColumnCollection[str, Any] = payments.c
) -> list[ColumnElement[bool]]:
    """The filters as conditions on `payments`, or on a subquery of it where none of them asks when a payment was made."""
    by_name: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        "state": lambda value: _in_state(columns, value),
        "gateway": lambda value: columns.gateway == value,
        "reference": lambda value: _of_same_name(columns, value),
        "customer_id": lambda value: columns.customer_id == value,
        "currency": lambda value: columns.currency == value,
        "amount_gte": lambda value: columns.amount_minor >= value,
        "amount_lte": lambda value: columns.amount_minor <= value,
        "created_gte": lambda value: created_since(payments, PAYMENT, value),
        "created_lt": lambda value: created_before(payments, PAYMENT, value),
        "certainty": lambda value: columns.certainty == value,
        "error_code": lambda value: columns.last_error["code"].astext == value,
    }
    given = ((condition, getattr(filters, name)) for name, condition in by_name.items())
    return [condition(value) for condition, value in given if value is not None]


def _of_same_name(columns: ReadOnlyColumnCollection[str, Any], reference: str) -> ColumnElement[bool]:
    one_form = func.aegis_same_name
    return and_(columns.reference.is_not(None), one_form(columns.reference) == one_form(reference))


def _in_state(columns: ReadOnlyColumnCollection[str, Any], state: State) -> ColumnElement[bool]:
    is_there = columns.state == state
    return is_there if state in TERMINAL else and_(columns.unfinished, is_there)


def stored_payment(row: Mapping[str, Any]) -> StoredPayment:
    """A row of `payments`."""
    return StoredPayment(payment_from_row(row), row["created_at"], row["updated_at"])
