"""A charge without the payer refers to the payment at which its customer agreed with the same card."""

from __future__ import annotations

from typing import Any

from support.payments import accept_one, pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway
from support.statement_counts import statements_of

from aegis_worker.domain.outcomes import Approved
from aegis_worker.persistence.database import Database

ASHA = {"id": "cus_117"}


def card(fingerprint: str = "fp_1") -> dict[str, str]:
    """A card of the vault, with a token of its own."""
    return {"type": "card", "token": f"card_{fingerprint}", "fingerprint": fingerprint}


def charged(database: Database, key: str, network_id: str | None, **terms: Any) -> None:
    """A payment that a gateway approved, and of which it told the network's id, or none."""
    accept_one(database, key, **{"customer": ASHA, "payment_method": card(), **terms})
    approved = Approved(f"ch_{key}", network_transaction_id=network_id)
    run_until_quiet(pipeline(database, ScriptedGateway("a", lambda request: approved)))


def refers_to(database: Database, key: str, **terms: Any) -> str | None:
    given = {"customer": ASHA, "payment_method": card(), "off_session": True, **terms}
    return accept_one(database, key, **given).payment.terms.network_transaction_id


def test_it_refers_to_the_payment_at_which_the_payer_agreed(database: Database) -> None:
    charged(database, "first", "000000000000001", setup_future_usage="off_session")
    charged(database, "second", "000000000000002", off_session=True)
    assert refers_to(database, "third") == "000000000000001"
    (kept,) = rows(database, "SELECT outcome FROM attempts ORDER BY sent_at LIMIT 1")
    assert kept["outcome"]["network_transaction_id"] == "000000000000001"


def test_where_nobody_knows_the_agreement_it_refers_to_what_followed(database: Database) -> None:
    charged(database, "first", "000000000000003", off_session=True, network_transaction_id="000000000000001")
    assert refers_to(database, "second") == "000000000000003"
    assert refers_to(database, "third", network_transaction_id="000000000000001") == "000000000000001"


def test_it_refers_to_nothing_that_is_not_its_customers_agreement_with_this_card(database: Database) -> None:
    charged(database, "there", "000000000000001")
    charged(database, "silent", None, setup_future_usage="off_session")
    charged(
        database, "other", "000000000000002", setup_future_usage="off_session", payment_method=card("fp_2")
    )
    charged(database, "else", "000000000000003", setup_future_usage="off_session", customer={"id": "cus_118"})
    charged(database, "shop", "000000000000004", setup_future_usage="off_session", merchant_id="m_2")
    assert refers_to(database, "later") is None
    assert refers_to(database, "nobody", customer={}) is None
    token = {"type": "card", "token": "pm_1"}
    assert refers_to(database, "token", payment_method=token) is None


def test_a_gateway_is_sent_it_and_the_answer_to_a_repetition_shows_it(database: Database) -> None:
    charged(database, "first", "000000000000001", setup_future_usage="off_session")
    told = refers_to(database, "second")
    charged(database, "third", "000000000000009", setup_future_usage="off_session")
    assert refers_to(database, "second") == told == "000000000000001"
    sent = [row["network_transaction_id"] for row in rows(database, "SELECT * FROM payments ORDER BY id")]
    assert sent == [None, "000000000000001", None]


def test_nothing_is_looked_up_for_payments_whose_payer_is_there(database: Database) -> None:
    with statements_of(database) as statements:
        accept_one(database, "there", customer=ASHA, payment_method=card())
    assert list(statements) == [], "but the one that accepts, which is prepared"
