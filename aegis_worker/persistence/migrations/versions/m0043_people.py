"""People at the console: who they are, their sessions, and how often somebody tried to log in.

Older code may keep running: it has no console.
"""

from __future__ import annotations

from alembic import op

revision = "0043"
down_revision = "0042"
oldest_code = "0036"

TABLES = """
CREATE TABLE console_users (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    password_hash TEXT,
    sealed BYTEA NOT NULL,
    last_step BIGINT DEFAULT '0' NOT NULL,
    code_hash BYTEA,
    code_until TIMESTAMPTZ,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    changed_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name),
    UNIQUE (code_hash),
    CONSTRAINT role_known CHECK (role IN ('viewer', 'operator', 'admin')),
    CONSTRAINT status_known CHECK (status IN ('invited', 'active', 'disabled')),
    CONSTRAINT active_has_password CHECK ((status = 'active') = (password_hash IS NOT NULL)),
    CONSTRAINT code_has_end CHECK ((code_hash IS NULL) = (code_until IS NULL))
);
CREATE TABLE console_recovery_codes (
    user_id TEXT NOT NULL,
    code_hash BYTEA NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);
CREATE TABLE console_sessions (
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    seen_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    PRIMARY KEY (id),
    UNIQUE (token_hash)
);
CREATE INDEX console_sessions_by_age ON console_sessions (ends_at);
CREATE INDEX console_sessions_of_user ON console_sessions (user_id, created_at);
CREATE TABLE login_tries (
    kind TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (kind, bucket),
    CONSTRAINT kind_known CHECK (kind IN ('address', 'name', 'pair')),
    CONSTRAINT bucket_bounded CHECK (bucket BETWEEN 0 AND 65535)
) WITH (fillfactor = 70);
"""

GUARDS = """
CREATE TRIGGER console_users_are_kept BEFORE DELETE ON console_users
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('users are kept');
CREATE TRIGGER console_users_keep_their_names BEFORE UPDATE ON console_users
    FOR EACH ROW WHEN ((NEW.id, NEW.name) IS DISTINCT FROM (OLD.id, OLD.name))
    EXECUTE FUNCTION aegis_refuse('the name of a user never changes');
CREATE TRIGGER console_sessions_end_once BEFORE UPDATE ON console_sessions
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL OR NEW.ends_at > OLD.ends_at OR NEW.user_id <> OLD.user_id)
    EXECUTE FUNCTION aegis_refuse('a session that has ended stays so, and none gets longer');
"""


def upgrade() -> None:
    """Make the tables, and triggers that keep names, and sessions that ended, as they are."""
    op.execute(TABLES)
    op.execute(GUARDS)


def downgrade() -> None:
    """Drop the tables: nobody can log in, and the names in the audit log are all that is left of users."""
    op.execute("DROP TABLE login_tries, console_sessions, console_recovery_codes, console_users")
