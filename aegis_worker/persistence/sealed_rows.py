"""Which sealing keys what is kept was sealed with: a key in use must stay in the ring."""

from __future__ import annotations

from sqlalchemy import Connection

# The header of a sealed text: its version, the length of the key's id, the id (`sealing.ring`).
_KEY_ID = "convert_from(substring(sealed FROM 3 FOR get_byte(sealed, 1)), 'UTF8')"
_IN_USE = f"""
SELECT key_id, sum(rows)::int AS rows FROM (
    SELECT {_KEY_ID} AS key_id, count(*) AS rows FROM action_secrets GROUP BY key_id
    UNION ALL SELECT {_KEY_ID}, count(*) FROM confirms WHERE sealed IS NOT NULL GROUP BY 1
    UNION ALL SELECT key_id, count(*) FROM gateway_event_bodies GROUP BY key_id
    UNION ALL SELECT key_id, count(*) FROM unverified_webhooks GROUP BY key_id
    UNION ALL SELECT {_KEY_ID}, count(*) FROM console_users GROUP BY 1
) sealed GROUP BY key_id ORDER BY key_id
"""


def keys_in_use(connection: Connection) -> dict[str, int]:
    """By the key's id, how many rows hold something that it sealed."""
    return {row.key_id: row.rows for row in connection.exec_driver_sql(_IN_USE)}
