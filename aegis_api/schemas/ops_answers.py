"""The answers of the operators' routes."""

from __future__ import annotations

from marshmallow import fields

from .documented import Answer, an_object, one_of, text, time, whole


class AuditLogEntrySchema(Answer):
    """One decision. `hash` is SHA-256 over `previous_hash` and the canonical JSON of the entry."""

    object = one_of("audit_log_entry")
    seq = whole("Starts at 1 and has no gaps.")
    at = time()
    actor = text("The operator's key, or `cli:<user name>`.")
    action = text()
    payment_id = text(none=True)
    details = an_object("What was decided, and the reason given.")
    previous_hash = text("Of the entry before it; zeros before the first.")
    hash = text()


class AuditLogSchema(Answer):
    """A page of the audit log, newest first."""

    data = fields.List(fields.Nested(AuditLogEntrySchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("starting_after of the next page.", none=True)
