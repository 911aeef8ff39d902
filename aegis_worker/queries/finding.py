"""Find payments of any merchant: by whatever a person has in hand, or by filters, in looks of a bounded size."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from aegis_worker.domain.gateway_keys import named_by
from aegis_worker.ids import CAPTURE, DISPUTE, JOB, REFUND, VOID, parse_event_id
from aegis_worker.persistence.tables.entities import captures, disputes, refunds, voids
from aegis_worker.persistence.tables.payments import jobs, payments

from .payments import PaymentFilters, StoredPayment, conditions, stored_payment, with_reference

# A filter that matches little would otherwise have PostgreSQL read every payment there is.
MOST_LOOKED_AT = 20_000

_ID = re.compile(r"(job|cap|ref|voi|dsp)_[0-9a-f]{32}")
_TABLE_OF = {JOB: jobs, CAPTURE: captures, REFUND: refunds, VOID: voids, DISPUTE: disputes}

_BY_GATEWAY_REF = """
SELECT p.* FROM gateway_references r JOIN payments p ON p.id = r.payment_id
WHERE r.gateway = ANY (%(gateways)s::text[]) AND r.gateway_ref = %(asked)s ORDER BY p.id DESC LIMIT %(limit)s
"""
# Merchant by merchant, because the index begins with the merchant. Every merchant with payments has had a key.
_BY_CUSTOMER = """
SELECT p.* FROM (SELECT DISTINCT merchant_id FROM api_keys) m CROSS JOIN LATERAL (
    SELECT * FROM payments WHERE merchant_id = m.merchant_id AND customer_id = %(asked)s ORDER BY id DESC LIMIT %(limit)s
) p ORDER BY p.id DESC LIMIT %(limit)s
"""

# By facts that events keep: they are seconds behind.
_BY_FACT = """
SELECT p.* FROM (
    SELECT payment_id FROM payment_facts WHERE {condition} ORDER BY payment_id DESC LIMIT %(limit)s
) f JOIN payments p ON p.id = f.payment_id ORDER BY p.id DESC
"""
_FACT = re.compile(r"(last4|error|metadata\.[A-Za-z0-9_.-]{1,128}):(.{1,500})", re.DOTALL)
_CONDITIONS = {"last4": "last4 = %(value)s", "error": "error_code = %(value)s"}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?")
_IN_METADATA = "metadata @> %(text)s::jsonb OR metadata @> %(number)s::jsonb"


@dataclass(frozen=True, slots=True)
class Matches:
    """Payments, newest first. `next_cursor`: where to look on, None where everything was looked at.

    `looked_at`: where fewer than a page match, how many payments the filters were held against.
    """

    rows: Sequence[StoredPayment]
    next_cursor: str | None
    looked_at: int | None = None


def find_payments(
    connection: Connection, asked: str, *, gateways: Collection[str], limit: int
) -> Sequence[StoredPayment]:
    """The newest payments that this belongs to: the id of a payment, job, event, capture, refund, cancel or dispute, the
    key of an attempt, a gateway's reference, the merchant's reference, or a customer.

    `last4:4242`, `error:stolen_card` and `metadata.cart:c-81` find by what the read models keep, seconds behind.
    """
    by_fact = _FACT.fullmatch(asked)
    with_it = _with_fact(connection, by_fact[1], by_fact[2], limit) if by_fact is not None else ()
    if with_it:
        return with_it
    payment_id = _owning(connection, asked)
    if payment_id is not None:
        found = connection.execute(select(payments).where(payments.c.id == payment_id)).mappings()
        return [stored_payment(cast("Mapping[str, Any]", row)) for row in found]
    names = {"asked": asked, "gateways": list(gateways), "limit": limit}
    by_gateway_ref = connection.exec_driver_sql(_BY_GATEWAY_REF, names).mappings()
    rows = [stored_payment(cast("Mapping[str, Any]", row)) for row in by_gateway_ref]
    rows += with_reference(connection, asked, merchant_id=None, limit=limit)
    by_customer = connection.exec_driver_sql(_BY_CUSTOMER, names).mappings()
    rows += [stored_payment(cast("Mapping[str, Any]", row)) for row in by_customer]
    unique = {row.payment.id: row for row in rows}
    return sorted(unique.values(), key=lambda row: row.payment.id, reverse=True)[:limit]


def _owning(connection: Connection, asked: str) -> str | None:
    """The payment that an id or an attempt's key belongs to; None if it is neither, or of nothing that we know."""
    named = named_by(asked) or parse_event_id(asked)
    if named is not None:
        return named[0]
    found = _ID.fullmatch(asked)
    if found is None:
        return None
    table = _TABLE_OF[found[1]]
    return connection.execute(select(table.c.payment_id).where(table.c.id == asked)).scalar_one_or_none()


def _with_fact(connection: Connection, name: str, value: str, limit: int) -> Sequence[StoredPayment]:
    key = name.partition(".")[2]
    statement = _BY_FACT.format(condition=_CONDITIONS.get(name, _IN_METADATA))
    # A number stands in metadata as such, and nobody who searches can know.
    number = value if _NUMBER.fullmatch(value) else json.dumps(value)
    names = {
        "value": value,
        "text": json.dumps({key: value}),
        "number": f"{{{json.dumps(key)}: {number}}}",
        "limit": limit,
    }
    return [
        stored_payment(cast("Mapping[str, Any]", row))
        for row in connection.exec_driver_sql(statement, names).mappings()
    ]


def match_payments(
    connection: Connection,
    filters: PaymentFilters,
    *,
    limit: int,
    starting_after: str | None = None,
    most: int = MOST_LOOKED_AT,
) -> Matches:
    """The newest payments of any merchant that meet every filter, among the next `most` of the period.

    Fewer than `limit` rows with a cursor: so many were looked at, and there may be older ones that match.
    """
    narrow = replace(filters, created_gte=None, created_lt=None)
    period = PaymentFilters(created_gte=filters.created_gte, created_lt=filters.created_lt)
    if narrow.certainty == "unknown":  # these few have an index of their own
        period = replace(period, certainty="unknown")
    span = select(payments).where(*conditions(period)).order_by(payments.c.id.desc()).limit(most)
    if starting_after is not None:
        span = span.where(payments.c.id < starting_after)
    looked = span.subquery("looked")
    statement = (
        select(looked).where(*conditions(narrow, looked.c)).order_by(looked.c.id.desc()).limit(limit + 1)
    )
    found = connection.execute(statement).mappings().all()
    rows = [stored_payment(cast("Mapping[str, Any]", row)) for row in found[:limit]]
    if len(found) > limit:
        return Matches(rows, rows[-1].payment.id)
    ids = span.with_only_columns(payments.c.id).subquery("ids")
    count, last = connection.execute(select(func.count(), func.min(ids.c.id))).one()
    return Matches(rows, last if count == most else None, count)
