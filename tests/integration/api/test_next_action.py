"""What the payer has to do, as the API shows it: whole to whom it is for, and its type and end to all others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from support.api_client import Api, Merchant, start_api
from support.payments import pipeline
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.actions import NextAction, Qr, Redirect, Sdk
from aegis_worker.domain.outcomes import ActionRequired, Approved, Lookup
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.pipeline.run import run

CANARY = "canary-51c0"
ENDS_AT = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
SHORT = {"expires_at": "2027-01-02T03:04:05.000Z"}
SDK = Sdk("stripe", {"client_secret": CANARY})


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def work_on(api: Api, action: NextAction, then: Lookup | None = None) -> None:
    """Do a worker's part at a gateway that wants the payer to act, and says `then` when it is asked."""
    asked = ActionRequired("ch_1", action, ENDS_AT)
    gateway = ScriptedGateway("stripe_eu", lambda request: asked)
    gateway.look_up = answering(then or asked)
    parts = pipeline(api.database, gateway, jobs=PostgresJobs(api.database, api.ring))
    run(parts, "payments")
    run(parts, "verify")


@pytest.mark.parametrize(
    ("action", "shown"),
    [
        (Redirect(f"https://bank.example/{CANARY}"), {"url": f"https://bank.example/{CANARY}"}),
        (SDK, {"gateway": "stripe_eu", "sdk": "stripe", "data": {"client_secret": CANARY}}),
        (Qr(f"upi://{CANARY}"), {"content": f"upi://{CANARY}", "image_url": None}),
    ],
)
def test_its_merchant_is_shown_all_of_it(
    api: Api, shop: Merchant, action: NextAction, shown: dict[str, Any]
) -> None:
    payment = shop.accepted()
    work_on(api, action)
    answer = shop.get(payment["links"]["self"])
    assert answer.json["next_action"] == {"type": action.type, **shown, **SHORT}
    assert (
        shop.get(payment["links"]["self"] + "?expand=attempts").json["next_action"]
        == answer.json["next_action"]
    )


def test_waiting_for_the_payment_shows_all_of_it(api: Api, shop: Merchant) -> None:
    shop.accepted(key="one")
    work_on(api, SDK)
    waited = shop.post_payment(key="one", prefer="wait=5")
    assert (waited.status_code, waited.json["next_action"]["data"]) == (202, {"client_secret": CANARY})


def test_lists_history_attempts_and_others_see_none_of_it(api: Api, shop: Merchant) -> None:
    payment = shop.accepted()
    work_on(api, SDK)
    path = payment["links"]["self"]
    for other in ("/v1/payments", f"{path}/events", f"{path}/attempts", f"{path}/explain"):
        assert CANARY not in shop.get(other).text, other
    assert shop.get("/v1/payments").json["data"][0]["next_action"] == {"type": "sdk", **SHORT}
    assert api.merchant("mer_b").get(path).status_code == 404
    assert CANARY not in api.operator().get(f"/v1/ops/payments/{payment['id']}").text


def test_once_the_payer_has_acted_there_is_nothing_to_do(api: Api, shop: Merchant) -> None:
    payment = shop.accepted()
    work_on(api, SDK)
    api.database.run(lambda connection: connection.execute(text("UPDATE jobs SET run_at = now()")))
    work_on(api, SDK, Approved("ch_1"))
    shown = shop.get(payment["links"]["self"]).json
    assert (shown["state"], shown["next_action"]) == ("SUCCESS", None)


def test_a_secret_that_cannot_be_opened_leaves_the_payment_to_be_read(api: Api, shop: Merchant) -> None:
    payment = shop.accepted()
    work_on(api, SDK)
    broken = "UPDATE action_secrets SET sealed = sealed || '\\x00'"
    api.database.run(lambda connection: connection.execute(text(broken)))
    answer = shop.get(payment["links"]["self"])
    assert (answer.status_code, answer.json["next_action"]) == (200, {"type": "sdk", **SHORT})
