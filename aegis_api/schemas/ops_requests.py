"""What the operators' routes take."""

from __future__ import annotations

from .fields import StrictSchema, Text
from .queries import Number, page_limit


class AuditLogQuerySchema(StrictSchema):
    """GET /v1/ops/audit-log."""

    limit = page_limit()
    starting_after = Number(1, 2**62, metadata={"description": "next_cursor of the page before."})
    payment_id = Text(64, pattern=r"pay_[0-9a-f]{32}", form="the id of a payment")
