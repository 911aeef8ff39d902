"""People: users of the console, their recovery codes and sessions, tries to log in, and approvals."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from aegis_worker.domain.approvals import APPROVAL_KINDS, APPROVAL_STATUSES
from aegis_worker.domain.people import ROLES, USER_STATUSES

from .columns import NOW, TIME, metadata, one_of

# `sealed` is the secret of the authenticator (TOTP). Users are kept for ever, so that a name in the audit log is never
# another person's.
console_users = Table(
    "console_users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("password_hash", Text),
    Column("sealed", LargeBinary, nullable=False),
    Column("last_step", BigInteger, nullable=False, server_default="0"),
    Column("code_hash", LargeBinary, unique=True),
    Column("code_until", TIME),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("changed_at", TIME, nullable=False, server_default=NOW),
    CheckConstraint(one_of("role", *ROLES), name="role_known"),
    CheckConstraint(one_of("status", *USER_STATUSES), name="status_known"),
    CheckConstraint("(status = 'active') = (password_hash IS NOT NULL)", name="active_has_password"),
    CheckConstraint("(code_hash IS NULL) = (code_until IS NULL)", name="code_has_end"),
)

console_recovery_codes = Table(
    "console_recovery_codes",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("code_hash", LargeBinary, primary_key=True),
)

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("seen_at", TIME, nullable=False, server_default=NOW),
    Column("ends_at", TIME, nullable=False),
    Column("ended_at", TIME),
    Index("console_sessions_by_age", "ends_at"),
    Index("console_sessions_of_user", "user_id", "created_at"),
)

# Names and addresses stand here as one of 65,536 numbers each, so whoever tries many fills no table.
login_tries = Table(
    "login_tries",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("tries", Integer, nullable=False),
    Column("ends_at", TIME, nullable=False),
    CheckConstraint(one_of("kind", "address", "name", "pair"), name="kind_known"),
    CheckConstraint("bucket BETWEEN 0 AND 65535", name="bucket_bounded"),
)

# `asked_by` and `decided_by` begin with who it was, up to the first space: two that are one person decide nothing.
approvals = Table(
    "approvals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("payment_version", Integer, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("request", JSONB, nullable=False),
    Column("request_sha256", LargeBinary, nullable=False),
    Column("key", Text),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", TIME, nullable=False, server_default=NOW),
    Column("expires_at", TIME, nullable=False),
    Column("status", Text, nullable=False, server_default="asked"),
    Column("decided_by", Text),
    Column("decided_at", TIME),
    Column("decided_because", Text),
    Column("ended_at", TIME),
    Column("ended_because", Text),
    Column("result", JSONB),
    CheckConstraint(one_of("kind", *APPROVAL_KINDS), name="kind_known"),
    CheckConstraint(one_of("status", *APPROVAL_STATUSES), name="status_known"),
    CheckConstraint(
        "status NOT IN ('approved', 'carried_out', 'failed') OR (decided_by IS NOT NULL"
        " AND split_part(decided_by, ' ', 1) <> split_part(asked_by, ' ', 1))",
        name="approved_by_another",
    ),
    CheckConstraint("(status IN ('asked', 'approved')) = (ended_at IS NULL)", name="ended_has_time"),
    Index(
        "approvals_open",
        "payment_id",
        "request_sha256",
        unique=True,
        postgresql_where=text("status IN ('asked', 'approved')"),
    ),
    Index("approvals_by_key", "payment_id", "key", unique=True, postgresql_where=text("key IS NOT NULL")),
    Index("approvals_due", "expires_at", postgresql_where=text("status IN ('asked', 'approved')")),
    Index("approvals_of_payment", "payment_id", "id"),
)

# Lists of the console that somebody saved: the filters as they stand in an address.
console_views = Table(
    "console_views",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("query", Text, nullable=False),
    Column("made_at", TIME, nullable=False, server_default=NOW),
)
