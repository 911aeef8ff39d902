"""The JSON forms of analytics, of a customer's history, and of how far behind read models are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.persistence.projections import ProjectionLag
from aegis_worker.queries.analytics import CustomerSum, Summary
from aegis_worker.queries.payments import StoredPayment

from .payments import payment_body
from .values import rfc3339_or_none, rounded


def analytics_body(rows: Sequence[Summary], behind: ProjectionLag) -> dict[str, Any]:
    """Summaries, with how old they are."""
    return {"object": "payment_analytics", **freshness_body(behind), "data": [_summary(row) for row in rows]}


def freshness_body(behind: ProjectionLag) -> dict[str, Any]:
    """`complete`: False while the summaries are made anew. `lag_s`: the age of the oldest change that they lack."""
    return {"complete": behind.rebuilding_to is None, "lag_s": round(behind.oldest_age_s, 3)}


def _summary(row: Summary) -> dict[str, Any]:
    return {
        "at": rfc3339_or_none(row.at),
        **{name: value or None for name, value in row.group.items()},
        "currency": row.currency,
        "payments": row.payments,
        "charged": row.charged,
        "failed": row.failed,
        "cancelled": row.cancelled,
        "open": row.open,
        "success_rate": rounded(row.success_rate, 4),
        "amount": row.amount_minor,
        "captured": row.captured_minor,
        "refunded": row.refunded_minor,
        "charged_back": row.charged_back_minor,
    }


def customer_body(
    customer_id: str,
    sums: Sequence[CustomerSum],
    payments: Sequence[StoredPayment],
    next_cursor: str | None,
    behind: ProjectionLag,
) -> dict[str, Any]:
    """A page of a customer's payments, newest first, and what all of them came to."""
    return {
        "object": "customer_history",
        "customer_id": customer_id,
        **freshness_body(behind),
        "sums": [
            {
                "currency": each.currency,
                "payments": each.payments,
                "charged": each.charged,
                "failed": each.failed,
                "captured": each.captured_minor,
                "refunded": each.refunded_minor,
                "first_at": rfc3339(each.first_hour),
                "last_at": rfc3339(each.last_hour),
            }
            for each in sums
        ],
        "data": [payment_body(one.payment, one.created_at, one.updated_at) for one in payments],
        "has_more": next_cursor is not None,
        "next_cursor": next_cursor,
    }
