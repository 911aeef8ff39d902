"""Card networks' limits in the pipeline: what is remembered of declines, and what is then not tried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from scripted_gateway import ScriptedGateway
from spine import accept_one, attempts_of, let_pass, payment_of, pipeline, rows, run_until_quiet
from sqlalchemy import event

from aegis_worker.domain.card_networks import card_key
from aegis_worker.domain.outcomes import Declined, NotSent, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.persistence.database import Database

SOFT, STOLEN = Declined("insufficient_funds", "51", "not enough"), Declined("stolen_card", "43", "stolen")
TOKEN = "tok_1"
DECLINES = (
    "SELECT payment_id, number, network, code, never_again FROM card_declines ORDER BY payment_id, number"
)


def card(network: str | None = None, token: str = TOKEN) -> dict[str, str]:
    return {"type": "card", "token": token, **({"network": network} if network else {})}


def answering(*outcomes: Any) -> Any:
    """A gateway that answers with these, one after the other, and with the last of them for ever."""
    left = list(outcomes)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def pay(database: Database, key: str, method: dict[str, str], *gateways: ScriptedGateway) -> str:
    """A payment that is worked on until nothing is due; its id."""
    payment_id = accept_one(database, key, payment_method=method).payment.id
    run_until_quiet(pipeline(database, *gateways))
    return payment_id


@contextmanager
def statements_of(database: Database) -> Iterator[list[str]]:
    """Every statement that goes to PostgreSQL meanwhile."""
    seen: list[str] = []

    def look(*called: Any) -> None:
        seen.append(called[2])

    event.listen(database.engine, "before_cursor_execute", look)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", look)


def test_each_decline_of_a_card_whose_network_counts_them_is_remembered(database: Database) -> None:
    a, b = (ScriptedGateway(name, answering(SOFT)) for name in ("a", "b"))
    payment_id = pay(database, "one", card("visa"), a, b)
    noted = {"payment_id": payment_id, "network": "visa", "code": "insufficient_funds", "never_again": False}
    assert rows(database, DECLINES) == [noted | {"number": number} for number in (1, 2)]
    keys = rows(database, "SELECT DISTINCT encode(card_key, 'hex') AS key FROM card_declines")
    assert keys == [{"key": card_key("m_1", TOKEN).hex()}]


@pytest.mark.parametrize("network", [None, "amex"])
def test_of_other_cards_only_what_forbids_another_try_is_remembered(
    database: Database, network: str | None
) -> None:
    pay(database, "one", card(network), ScriptedGateway("a", answering(SOFT)))
    assert rows(database, DECLINES) == []
    payment_id = pay(database, "two", card(network), ScriptedGateway("a", answering(STOLEN)))
    assert rows(database, DECLINES) == [
        {
            "payment_id": payment_id,
            "number": 1,
            "network": network,
            "code": "stolen_card",
            "never_again": True,
        }
    ]


@pytest.mark.parametrize("refusal", [NotSent("refused"), Declined("gateway_misconfigured", "401")])
def test_what_never_reached_the_issuer_is_not_remembered(database: Database, refusal: Any) -> None:
    pay(database, "one", card("visa"), ScriptedGateway("a", answering(refusal)), ScriptedGateway("b"))
    assert rows(database, DECLINES) == []


def test_a_decline_that_is_heard_of_late_counts_from_when_the_card_was_tried(database: Database) -> None:
    gateway = ScriptedGateway("a", answering(Unknown("read timeout")))
    payment_id = pay(database, "one", card("mastercard"), gateway)
    let_pass(database, 2 * 86_400)
    gateway.look_up = lambda query: SOFT
    run_until_quiet(pipeline(database, gateway))
    assert payment_of(database, payment_id).state is State.FAILURE
    assert [attempt["status"] for attempt in attempts_of(database, payment_id)] == ["DECLINED"]
    aged = "SELECT card_declines.at = attempts.sent_at AS same FROM card_declines JOIN attempts USING (payment_id, number)"
    assert rows(database, aged) == [{"same": True}]


def test_a_batch_without_a_network_and_without_such_declines_asks_and_writes_nothing_more(
    database: Database,
) -> None:
    for n in range(8):
        accept_one(database, f"key-{n}", payment_method=card(token=f"tok_{n}"))
    with statements_of(database) as seen:
        run_until_quiet(pipeline(database, ScriptedGateway("a", answering(SOFT))))
    assert len(seen) > 3
    assert not [statement for statement in seen if "card_declines" in statement]
