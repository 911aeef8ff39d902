"""What is known of a payer is sent down the whole way of a payment, and is then found in one table only (D17)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.api_client import start_api
from support.card_canary import dump
from support.payments import let_pass, pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.outcomes import Declined, NotFound, Unknown
from aegis_worker.domain.payer import FIELDS
from aegis_worker.erasing import erase_customer
from aegis_worker.persistence.database import Database

CANARIES = (
    "canary@shop.example",
    "+918041234599",
    "203.0.113.211",
    "CanaryBrowser",
    "12 Canary Road",
    "Asha Canary",
)
PAYER: dict[str, Any] = {
    "email": CANARIES[0],
    "phone": CANARIES[1],
    "ip": CANARIES[2],
    "browser": {"user_agent": CANARIES[3]},
    "billing_address": {"line1": CANARIES[4], "name": CANARIES[5], "country": "IN"},
    "shipping_address": {"line1": CANARIES[4], "country": "IN"},
}
_ROWS_OF_PAYERS = re.compile(r"^INSERT INTO public\.payer_details .*$", re.MULTILINE)


def found_in(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def raises(request: Any) -> Any:
    raise RuntimeError(f"an adapter's mistake about {request}")


@pytest.mark.row(61)
def test_what_is_known_of_a_payer_is_in_its_table_alone_and_nowhere_once_it_is_erased(
    database_url: str, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = start_api(database_url).merchant("m_1")
    lost = ScriptedGateway("a", answering(Unknown("read timeout")), payer=FIELDS)
    lost.look_up = answering(NotFound())
    declines = ScriptedGateway("a", answering(Declined("stolen_card", "43", "stolen")), payer=FIELDS)
    answers = []
    for number, gateway in enumerate((ScriptedGateway("a", payer=FIELDS), lost, declines)):
        posted = shop.post_payment(payer=PAYER, customer={"id": "cus_117"}, reference=f"order-{number}")
        parts = pipeline(database, gateway)
        run_until_quiet(parts)
        let_pass(database, 30)
        run_until_quiet(parts)
        path = posted.json["links"]["self"]
        answers += [posted, *(shop.get(f"{path}{more}") for more in ("", "/events", "/attempts", "/explain"))]
        assert gateway.calls
        assert gateway.calls[0].payer is not None
    answers.append(shop.post_payment(payer={**PAYER, "age": 1}))
    for answer in answers:
        assert found_in(answer.text + str(answer.headers)) == []
    kept = dump(database_url)
    assert len(_ROWS_OF_PAYERS.findall(kept)) == 3
    assert found_in(_ROWS_OF_PAYERS.sub("", kept)) == []
    assert erase_customer(database, "m_1", "cus_117", actor="cli:night").payer_details == 3
    assert found_in(dump(database_url)) == []
    printed = capfd.readouterr()
    assert found_in(printed.out + printed.err) == []


@pytest.mark.row(61)
def test_an_error_that_names_the_call_shows_no_more_of_the_payer_than_the_names_of_its_fields(
    database_url: str, database: Database
) -> None:
    start_api(database_url).merchant().post_payment(payer=PAYER)
    with pytest.raises(RuntimeError) as raised:
        run_until_quiet(pipeline(database, ScriptedGateway("a", raises, payer=FIELDS)))
    assert "Payer(billing_address, browser, email" in str(raised.value)
    assert found_in(str(raised.value)) == []
