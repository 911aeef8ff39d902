"""Declined tries of cards in PostgreSQL: noted once, counted by day and month, forgotten when no cap counts them."""

from __future__ import annotations

from dataclasses import replace

from support.outbox_events import execute, settings_with
from support.payments import rows
from support.statement_plans import scans_of

from aegis_worker.domain.card_networks import CardDecline, CardHistory, card_key
from aegis_worker.persistence.card_declines import declined_lately, note_declines
from aegis_worker.persistence.database import Database
from aegis_worker.purge import purge

CARD, OTHER, UNHEARD_OF = (card_key("m_1", token) for token in ("tok_1", "tok_2", "tok_3"))
DECLINE = CardDecline("pay_1", 1, "m_1", CARD, "visa", "do_not_honor")


def note(database: Database, *declines: CardDecline) -> None:
    database.run(lambda connection: note_declines(connection, declines))


def lately(database: Database, *keys: bytes) -> dict[bytes, CardHistory]:
    return database.run(lambda connection: declined_lately(connection, keys))


def age(database: Database, payment_id: str, by: str) -> None:
    execute(
        database,
        "UPDATE card_declines SET at = at - %(by)s::interval WHERE payment_id = %(id)s",
        by=by,
        id=payment_id,
    )


def test_each_cards_declines_are_counted_by_themselves(database: Database) -> None:
    note(
        database,
        DECLINE,
        replace(DECLINE, number=2),
        replace(DECLINE, payment_id="pay_2", card_key=OTHER, network=None, code="stolen_card"),
    )
    assert lately(database, CARD, OTHER, UNHEARD_OF) == {
        CARD: CardHistory(2, 2),
        OTHER: CardHistory(1, 1, "stolen_card"),
        UNHEARD_OF: CardHistory(),
    }
    assert lately(database) == {}


def test_a_decline_that_is_noted_again_counts_once(database: Database) -> None:
    note(database, DECLINE)
    note(database, replace(DECLINE, code="expired_card"), replace(DECLINE, number=2))
    note(database)
    assert lately(database, CARD)[CARD].in_last_30_days == 2
    assert rows(database, "SELECT number, code FROM card_declines ORDER BY number") == [
        {"number": 1, "code": "do_not_honor"},
        {"number": 2, "code": "do_not_honor"},
    ]


def test_a_day_is_24_hours_and_a_month_30_days(database: Database) -> None:
    note(database, *(replace(DECLINE, payment_id=f"pay_{days}") for days in (0, 1, 29, 30)))
    age(database, "pay_0", "23 h 59 min")
    for days in (1, 29, 30):
        age(database, f"pay_{days}", f"{days} days 1 min")
    assert lately(database, CARD)[CARD] == CardHistory(1, 3)


def test_declines_are_forgotten_after_thirty_days(database: Database) -> None:
    note(database, *(replace(DECLINE, payment_id=f"pay_{n}", code="stolen_card") for n in range(5)))
    for payment_id in ("pay_0", "pay_1", "pay_2"):
        age(database, payment_id, "30 days 1 min")
    age(database, "pay_3", "29 days")
    assert purge(database, settings_with(), limit=2)["card_declines"] == 3
    assert {row["payment_id"] for row in rows(database, "SELECT payment_id FROM card_declines")} == {
        "pay_3",
        "pay_4",
    }


def test_a_card_that_nothing_holds_back_is_read_up_to_a_bound(database: Database) -> None:
    execute(
        database,
        "INSERT INTO card_declines SELECT 'pay_' || n, 1, 'm_1',"
        " CASE WHEN n <= 1500 THEN decode(%(key)s, 'hex') ELSE sha256(int4send(n)) END, NULL, 'lost_card', true"
        " FROM generate_series(1, 6000) AS n",
        key=CARD.hex(),
    )
    execute(database, "ANALYZE card_declines")
    with scans_of(database.engine) as scans:
        assert lately(database, CARD, OTHER)[CARD] == CardHistory(1000, 1000, "lost_card")
    assert [(scan.index, scan.looked_at) for scan in scans if scan.table == "card_declines"] == [
        ("card_declines_by_card", 1000)
    ]
