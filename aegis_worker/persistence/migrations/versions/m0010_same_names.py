"""References or idempotency keys that differ only in surrounding spaces count as the same name.

References also count as the same if they differ only in invisible characters or in how Unicode encodes them. References are
stored as merchants gave them; unique is their canonical form, which the SQL function `aegis_same_name` computes as
aegis_worker/domain/text.py does. Existing payments that share a canonical form keep their references: one of them (a
successful one if there is one, because it never gives up its reference) represents them in the unique index, and the others
get numbers. A trigger trims keys as they are stored, because processes of an older version still store keys of batches
untrimmed.

Nobody can read or write `payments` and `idempotency_keys` until the index is created, which takes some seconds for a
million payments. Both are locked at once, in the order in which accepting a payment uses them, to avoid deadlocks.
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
    """Add the function, make canonical references unique, and trim keys."""
    op.execute(SAME_NAME)
    op.execute(REFERENCES)
    op.execute(KEYS)


def downgrade() -> None:
    """Let references be unique by their exact characters again."""
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
