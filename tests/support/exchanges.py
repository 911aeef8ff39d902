"""An exchange with a gateway that was kept, without a gateway."""

from __future__ import annotations

import json
import time

from aegis_worker.domain.exchanges import AttemptExchange, Because, CallKind
from aegis_worker.exchange.noting import Noting
from aegis_worker.exchange.transfers import Result
from aegis_worker.gateways.kit.flows import HttpAnswer, HttpCall
from aegis_worker.gateways.sandbox.allow_list import SANDBOX
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.exchange_rows import PostgresExchanges
from aegis_worker.pipeline.exchanges import Exchanges

CALL = HttpCall(
    "POST",
    "/v1/charges",
    {"Authorization": "Bearer s3cret-key"},
    json.dumps({"amount": 1999, "payment_method": {"type": "card", "token": "s3cret-token"}}).encode(),
)
CHARGED = HttpAnswer(
    200,
    {"content-type": "application/json"},
    b'{"id":"spay_1","status":"succeeded","client_secret":"s3cret"}',
)


def keep_exchange(
    database: Database,
    payment_id: str,
    result: Result = CHARGED,
    *,
    kind: CallKind = CallKind.SEND,
    id_: int = 1,
    ago_s: float = 1.0,
) -> None:
    """Keep what went out for the payment's first charge, so long ago, and what came back."""
    noted = Noting(SANDBOX).noted(CALL, result, time.monotonic() - ago_s, 12.3)
    PostgresExchanges(database).keep([AttemptExchange(payment_id, "process", 1, kind, id_, noted)])


def keep_what_was_asked(
    database: Database, payment_id: str, because: Because, *, operation: str = "process", number: int = 1
) -> None:
    """Keep what went out where no job asked, and what came back."""
    exchanges = Exchanges(PostgresExchanges(database))
    note = exchanges.noting_look_up(payment_id, operation, number, because)
    assert note is not None
    note(Noting(SANDBOX).noted(CALL, CHARGED, time.monotonic(), 12.3))
    exchanges.write()
