"""References and idempotency keys in one form: what differs only in spaces around it, or in how Unicode writes it, is one.

References stay as merchants gave them; unique is their form, `aegis_same_name`, which is aegis_worker/domain/text.py in
SQL. Payments that share one already keep it: one of them stands for all (one that succeeded, if there is one, for it
never gives the reference up), the others are numbered. Keys are trimmed where they are stored, also for processes of an
older version that go on taking them from batches as they come.

Nothing can be read or written in `payments` and `idempotency_keys` until the index is made: some seconds for a million
payments. Both are locked at once and in the order in which payments are accepted, so that nobody waits in a circle.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
oldest_code = "0003"

# ASCII, that is nearly always, needs no more than trimming. The ranges are `_UNSEEN` of text.py, the spaces its `_SPACES`.
# COLLATE "C": the same characters in every database. left(): what is written now is no longer, and an index has a limit.
SAME_NAME = r"""
CREATE FUNCTION aegis_same_name(name TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE WHEN octet_length(name) = char_length(name) THEN
        btrim(name, E' \t\n\x0b\f\r\x1c\x1d\x1e\x1f')
    ELSE left(btrim(
        normalize(regexp_replace(name COLLATE "C",
            E'[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u3164'
            '\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]', '', 'g'), NFKC),
        E' \t\n\x0b\f\r\x1c\x1d\x1e\x1f\u0085\u1680\u2028\u2029'), 255)
    END
"""

REFERENCES = """
LOCK TABLE idempotency_keys, payments IN ACCESS EXCLUSIVE MODE;
ALTER TABLE payments ADD COLUMN reference_twin INTEGER;
UPDATE payments p SET reference_twin = shared.number FROM (
    SELECT id, row_number() OVER (
        PARTITION BY merchant_id, aegis_same_name(reference) ORDER BY state = 'SUCCESS' DESC, id) - 1 AS number
    FROM payments WHERE reference IS NOT NULL AND reference_freed_by IS NULL
) shared WHERE shared.number > 0 AND shared.id = p.id;
DROP INDEX payments_live_reference;
CREATE UNIQUE INDEX payments_live_reference
    ON payments (merchant_id, aegis_same_name(reference), reference_freed_by, reference_twin)
    NULLS NOT DISTINCT WHERE reference IS NOT NULL;
"""

KEYS = """
UPDATE idempotency_keys k SET key = btrim(key) WHERE key <> btrim(key) AND btrim(key) <> '' AND NOT EXISTS (
    SELECT FROM idempotency_keys other
    WHERE other.merchant_id = k.merchant_id AND other.route = k.route AND other.key <> k.key
        AND btrim(other.key) = btrim(k.key));
CREATE FUNCTION aegis_trim_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.key := btrim(NEW.key);
    RETURN NEW;
END $$;
CREATE TRIGGER idempotency_keys_are_trimmed BEFORE INSERT ON idempotency_keys
    FOR EACH ROW WHEN (NEW.key <> btrim(NEW.key) AND btrim(NEW.key) <> '')
    EXECUTE FUNCTION aegis_trim_key();
"""


def upgrade() -> None:
    """Make the form and have it unique."""
    op.execute(SAME_NAME)
    op.execute(REFERENCES)
    op.execute(KEYS)


def downgrade() -> None:
    """Back to references that differ in any character."""
    op.execute(
        """
        DROP TRIGGER idempotency_keys_are_trimmed ON idempotency_keys;
        DROP FUNCTION aegis_trim_key;
        DROP INDEX payments_live_reference;
        CREATE UNIQUE INDEX payments_live_reference ON payments (merchant_id, reference, reference_freed_by)
            NULLS NOT DISTINCT WHERE reference IS NOT NULL;
        ALTER TABLE payments DROP COLUMN reference_twin;
        DROP FUNCTION aegis_same_name;
        """
    )
