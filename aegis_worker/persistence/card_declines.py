"""Declined tries of cards. They are written together with the outcome, and counted before the card is tried again."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from aegis_worker.domain.card_networks import CardDecline, CardHistory
from aegis_worker.domain.declines import DECLINES

# Days that the longest cap looks back. Older declines no longer count and are purged.
KEEP_D = 30


# Keeps the time of the try. For a charge in doubt that may be long before we learned of its decline.
_NOTE = """
INSERT INTO card_declines (payment_id, number, merchant_id, card_key, network, code, never_again, at)
SELECT d.payment_id, d.number, d.merchant_id, decode(d.card_key, 'hex'), d.network, d.code, d.never_again, (
    SELECT coalesce(max(sent_at), clock_timestamp()) FROM attempts
    WHERE attempts.payment_id = d.payment_id AND attempts.number = d.number
)
FROM json_to_recordset(%(declines)s::json) AS d(payment_id text, number int, merchant_id text, card_key text,
    network text, code text, never_again boolean)
ON CONFLICT DO NOTHING
"""

# Only the latest thousand rows are read, because a card that no cap holds back may have any number of them.
_LATELY = f"""
SELECT card.key AS card_key, count(*) FILTER (WHERE at > statement_timestamp() - interval '1 day') AS in_last_day,
    count(*) AS in_last_30_days, max(code) FILTER (WHERE never_again) AS never_again
FROM unnest(%(cards)s::text[]) AS card(key) CROSS JOIN LATERAL (
    SELECT at, code, never_again FROM card_declines
    WHERE card_key = decode(card.key, 'hex') AND at > statement_timestamp() - interval '{KEEP_D} days'
    ORDER BY card_key DESC, at DESC LIMIT 1000
) declined
GROUP BY card.key
"""


def note_declines(connection: Connection, declines: Sequence[CardDecline]) -> None:
    """Remember the declines, in the transaction that records them as outcomes. Noting one again changes nothing."""
    rows = [
        {
            "payment_id": decline.payment_id,
            "number": decline.number,
            "merchant_id": decline.merchant_id,
            "card_key": decline.card_key.hex(),
            "network": decline.network,
            "code": decline.code,
            "never_again": DECLINES[decline.code].never_again,
        }
        for decline in declines
    ]
    if rows:
        connection.exec_driver_sql(_NOTE, {"declines": json.dumps(rows)})


def declined_lately(connection: Connection, card_keys: Collection[bytes]) -> dict[bytes, CardHistory]:
    """What is remembered of each of the cards. A card that was not declined has an empty history.

    Only committed declines count. If two payments try the same card at the same time, neither sees the other's decline.
    """
    histories = dict.fromkeys(card_keys, CardHistory())
    if histories:
        found = connection.exec_driver_sql(_LATELY, {"cards": [key.hex() for key in histories]})
        for row in found:
            histories[bytes.fromhex(row.card_key)] = CardHistory(
                row.in_last_day, row.in_last_30_days, row.never_again
            )
    return histories
