"""One idempotency key, one payment: however many ask at once, and whatever else is asked under it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.api_client import Api, Merchant, start_api
from support.installation import Installation, Reply, card
from support.ledger_checks import Books
from support.payments import pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway


@pytest.fixture
def api(database_url: str) -> Iterator[Api]:
    api = start_api(database_url)
    yield api
    api.database.dispose()


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


@pytest.mark.row(4)
def test_fifty_posts_at_once_with_one_key_make_one_payment_and_one_charge(running: Installation) -> None:
    books = Books(running)
    together = threading.Barrier(50)

    def post(_: int) -> Reply:
        together.wait(30)
        return running.post(card("tok_visa"), key="fifty")

    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(post, range(50)))
    accepted = [reply for reply in replies if reply.status == 202]
    refused = Counter((reply.status, reply.body["code"]) for reply in replies if reply.status != 202)
    # Both ask for the same request again. A commit that takes longer than a statement may is answered with 503.
    assert refused.keys() <= {(409, "idempotency_in_progress"), (503, "database_unavailable")}
    assert len({reply.body["id"] for reply in accepted}) == 1
    assert Counter(reply.headers.get("Idempotent-Replayed") for reply in accepted)[None] == 1
    assert books.payment_ids() == [accepted[0].body["id"]]
    assert len(running.ended(accepted[0].body["id"])["attempts"]["data"]) == 1
    assert len(running.charges(accepted[0].body["id"])) == 1
    books.agree()


ORIGINAL: dict[str, Any] = {
    "customer": {"id": "cus_1", "name": "Asha", "country": "IN"},
    "metadata": {"n": 1},
    "description": "Two tickets",
}
OTHER_REQUESTS: list[dict[str, Any]] = [
    {"amount": 2000},
    {"currency": "EUR"},
    {"payment_method": {"type": "card", "token": "tok_other"}},
    {"customer": {"id": "cus_1", "name": "Asha", "country": "US"}},
    {"customer": {"id": "cus_1", "name": "Asha"}},
    {"metadata": {"n": 2}},
    {"metadata": {"n": "1"}},
    {"metadata": {"n": 1, "m": None}},
    {"description": "Three tickets"},
    {"capture_method": "automatic"},
]


@pytest.mark.row(5)
def test_the_same_key_with_another_body_is_refused_before_and_after_the_payment_has_ended(
    api: Api, shop: Merchant, subtests: pytest.Subtests
) -> None:
    first = shop.post_payment(key="one", **ORIGINAL)
    gateway = ScriptedGateway("a")
    for when in ("accepted", "ended"):
        for changed in OTHER_REQUESTS:
            with subtests.test(when=when, changed=changed):
                refused = shop.post_payment(key="one", **{**ORIGINAL, **changed})
                assert (refused.status_code, refused.json["code"]) == (422, "idempotency_key_reused")
                assert refused.headers["Content-Type"] == "application/problem+json"
        run_until_quiet(pipeline(api.database, gateway))
    assert rows(api.database, "SELECT id, amount_minor FROM payments") == [
        {"id": first.json["id"], "amount_minor": 1999}
    ]
    assert [call.amount.minor for call in gateway.calls] == [1999]
    assert shop.post_payment(key="one", **ORIGINAL).data == first.data
