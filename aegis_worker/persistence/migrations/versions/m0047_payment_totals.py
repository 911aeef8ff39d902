"""Totals of payments: the summaries by hour, added up by day, and over all merchants by hour and by day.

Triggers of the summaries keep them, in the same transaction. So older code may keep running: what it takes into the
summaries is in the totals as well.
"""

from __future__ import annotations

from alembic import op

revision = "0047"
down_revision = "0046"
oldest_code = "0036"

_KEYS = "gateway, method, currency, experiment, arm, state"
_SUMS = ("payments", "amount_minor", "captured_minor", "refunded_minor", "charged_back_minor")

TABLE = """
CREATE TABLE payment_totals (
    kind TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    mode TEXT NOT NULL,
    gateway TEXT NOT NULL,
    method TEXT NOT NULL,
    currency TEXT NOT NULL,
    experiment TEXT NOT NULL,
    arm TEXT NOT NULL,
    state TEXT NOT NULL,
    payments BIGINT NOT NULL,
    amount_minor BIGINT NOT NULL,
    captured_minor BIGINT NOT NULL,
    refunded_minor BIGINT NOT NULL,
    charged_back_minor BIGINT NOT NULL,
    PRIMARY KEY (kind, merchant_id, at, mode, gateway, method, currency, experiment, arm, state),
    CONSTRAINT kind_known CHECK (kind IN ('hour', 'day', 'merchant_day'))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX payment_totals_by_time ON payment_totals (at) WHERE kind = 'merchant_day';
"""


def _add(changed: str) -> str:
    return f"""
    INSERT INTO payment_totals AS t (kind, merchant_id, at, mode, {_KEYS}, {", ".join(_SUMS)})
    SELECT CASE WHEN GROUPING(hour) = 0 THEN 'hour' WHEN GROUPING(merchant_id) = 0 THEN 'merchant_day' ELSE 'day' END,
        coalesce(merchant_id, ''), coalesce(hour, day), mode, {_KEYS},
        {", ".join(f"sum(sign * {name})" for name in _SUMS)}
    FROM (SELECT *, date_trunc('day', hour, 'UTC') AS day FROM ({changed}) c) changed
    GROUP BY mode, {_KEYS}, GROUPING SETS ((merchant_id, day), (hour), (day))
    HAVING {" OR ".join(f"sum(sign * {name}) <> 0" for name in _SUMS)}
    ON CONFLICT (kind, merchant_id, at, mode, {_KEYS})
    DO UPDATE SET {", ".join(f"{name} = t.{name} + excluded.{name}" for name in _SUMS)}
    """


_FRESH, _STALE = "SELECT 1 AS sign, * FROM fresh", "SELECT -1 AS sign, * FROM stale"
_BY_WHAT = {
    "insert": ("NEW TABLE AS fresh", _FRESH),
    "update": ("NEW TABLE AS fresh OLD TABLE AS stale", f"{_FRESH} UNION ALL {_STALE}"),
    "delete": ("OLD TABLE AS stale", _STALE),
}


def _trigger(event: str, tables: str, changed: str) -> str:
    return f"""
    CREATE FUNCTION aegis_totals_after_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        {_add(changed)};
        RETURN NULL;
    END $$;
    CREATE TRIGGER payment_totals_after_{event} AFTER {event.upper()} ON payment_summaries
        REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION aegis_totals_after_{event}();
    """


_EMPTIED = """
CREATE FUNCTION aegis_totals_after_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE payment_totals;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_totals_after_truncate AFTER TRUNCATE ON payment_summaries
    FOR EACH STATEMENT EXECUTE FUNCTION aegis_totals_after_truncate();
"""


def upgrade() -> None:
    """Make the table and the triggers, and add up what the summaries have. Until then, nothing is taken into them."""
    op.execute(TABLE)
    for event, (tables, changed) in _BY_WHAT.items():
        op.execute(_trigger(event, tables, changed))
    op.execute(_EMPTIED)
    op.execute(_add("SELECT 1 AS sign, * FROM payment_summaries"))


def downgrade() -> None:
    """Drop all of it: the summaries by hour have everything."""
    for event in (*_BY_WHAT, "truncate"):
        op.execute(f"DROP TRIGGER payment_totals_after_{event} ON payment_summaries")
        op.execute(f"DROP FUNCTION aegis_totals_after_{event}()")
    op.execute("DROP TABLE payment_totals")
