"""The columns of a payment's terms: how accepting writes them, and how every reader of a payment reads them.

A field of `PaymentTerms` has a column of its name. `amount` has two columns; the customer's id has one more, for
searches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import fields
from sqlalchemy import BigInteger, Boolean, Column, Text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from aegis_worker.domain.money import Money
from aegis_worker.domain.terms import PaymentTerms


def columns() -> tuple[Column[Any], ...]:
    """The columns, for the table that they stand in."""
    return (
        Column("reference", Text),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("capture_method", Text, nullable=False, server_default="automatic"),
        Column("payment_method", JSONB, nullable=False),
        Column("customer_id", Text),
        Column("customer", JSONB, nullable=False),
        Column("description", Text),
        Column("return_url", Text),
        Column("metadata", JSONB, nullable=False),
        Column("statement_descriptor", Text),
        Column("off_session", Boolean),
        Column("mandate", Text),
        Column("order_lines", JSONB),
        Column("scheduled_at", TIMESTAMP(timezone=True)),
        Column("setup_future_usage", Text),
        Column("off_session_reason", Text),
        Column("network_transaction_id", Text),
    )


# For statements: the names, and the names with their types, as json_to_recordset wants them.
NAMES = ", ".join(column.name for column in columns())
TYPED = ", ".join(f"{column.name} {column.type}" for column in columns())

_OF_THEIR_NAME = tuple(each.name for each in fields(PaymentTerms) if each.name != "amount")


def row_of_terms(terms: PaymentTerms) -> dict[str, Any]:
    """The values of the columns, by name, without those that were not given; objects as they go into JSON."""
    row = {name: value for name in _OF_THEIR_NAME if (value := getattr(terms, name)) is not None}
    row["amount_minor"], row["currency"] = terms.amount.minor, terms.amount.currency
    if "id" in terms.customer:
        row["customer_id"] = terms.customer["id"]
    if terms.scheduled_at is not None:
        row["scheduled_at"] = terms.scheduled_at.isoformat()
    return row


def terms_from_row(row: Mapping[str, Any]) -> PaymentTerms:
    """The terms from a row that holds the columns."""
    amount = Money(row["amount_minor"], row["currency"])
    return PaymentTerms(amount, **{name: row[name] for name in _OF_THEIR_NAME})
