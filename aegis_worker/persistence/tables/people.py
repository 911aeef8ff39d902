"""People at the console: users, their recovery codes and sessions, and how often somebody tried to log in."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text

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
