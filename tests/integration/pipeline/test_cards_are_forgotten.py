"""A payment by a card of the vault lets the vault forget it: approved, declined for good, no candidate left. Not before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.payments import accept_one, pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway
from support.vaulted_cards import vaulted

from aegis_worker.domain.outcomes import Approved, Declined, Outcome, Unknown
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database

CARD = vaulted()["token"]


def approved(request: GatewayRequest) -> Outcome:
    return Approved(f"ch_{request.idempotency_key}", captured=request.capture)


def declined(code: str) -> Callable[[GatewayRequest], Outcome]:
    return lambda request: Declined(code, "51", "no")


def in_doubt(request: GatewayRequest) -> Outcome:
    return Unknown("no answer")


class Shop:
    """One payment by a card of the vault, and what the vault was told to forget."""

    def __init__(
        self, database: Database, *scripts: Callable[[GatewayRequest], Outcome], **terms: Any
    ) -> None:
        self.told: list[str] = []
        gateways = [
            ScriptedGateway(f"g{number}", script, raw_cards=True) for number, script in enumerate(scripts)
        ]
        for gateway in gateways:
            gateway.able(cards=True)
        accept_one(database, payment_method=vaulted(), **terms)
        run_until_quiet(pipeline(database, *gateways, settle_cards=self.told.extend))


@pytest.mark.parametrize("capture_method", ["automatic", "manual"])
def test_an_approval_ends_the_need(database: Database, capture_method: str) -> None:
    assert Shop(database, approved, capture_method=capture_method).told == [CARD]


def test_a_final_decline_ends_the_need(database: Database) -> None:
    assert Shop(database, declined("stolen_card"), approved).told == [CARD]


def test_the_last_candidate_ends_the_need(database: Database) -> None:
    assert Shop(database, declined("issuer_unavailable"), declined("issuer_unavailable")).told == [CARD]


def test_between_two_gateways_and_in_doubt_the_card_stays(database: Database) -> None:
    assert Shop(database, declined("issuer_unavailable"), in_doubt).told == []


def test_payments_by_other_cards_tell_the_vault_nothing(database: Database) -> None:
    told: list[str] = []
    accept_one(database)
    run_until_quiet(pipeline(database, ScriptedGateway("g0", approved), settle_cards=told.extend))
    assert told == []
