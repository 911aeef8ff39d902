"""A confirm moves money, so it is as safe as a charge: lost, repeated, raced or cut short by a death, it charges once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.confirming_shop import SandboxShop, Shop
from support.payments import end_leases, make_due
from support.sandbox_process import Sandbox, running_sandbox
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    Outcome,
    Unknown,
)
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.pipeline.run import run

ASKED = ActionRequired("ch_1", Redirect("https://bank.example/3ds"))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def shop(database_url: str, sandbox: Sandbox) -> SandboxShop:
    return SandboxShop(database_url, sandbox)


@pytest.mark.row(72)
def test_a_lost_answer_is_doubt_that_asking_ends(shop: SandboxShop) -> None:
    shop.pay("tok_sdk_then_drop")
    shop.confirm(shop.brought_back())
    run(shop.parts, "payments")
    assert (shop.state, shop.now["certainty"], shop.kept) == ("REQUIRES_ACTION", "unknown", [True])
    shop.work()
    assert (shop.state, shop.now["certainty"]) == ("SUCCESS", "known")
    assert shop.attempts == [("process", 1, "APPROVED", 1), ("confirm", 1, "APPROVED", 1)]
    assert (shop.charges, shop.kept) == ([1999], [False])


@pytest.mark.row(72)
def test_a_lost_call_is_repeated_with_its_own_key_and_data(shop: SandboxShop) -> None:
    shop.pay("tok_sdk_then_drop_nocharge_once")
    shop.confirm(shop.brought_back())
    run(shop.parts, "payments")
    assert shop.now["certainty"] == "unknown"
    shop.work()
    assert shop.state == "SUCCESS"
    assert shop.attempts == [("process", 1, "APPROVED", 1), ("confirm", 1, "APPROVED", 2)]
    assert (shop.charges, shop.kept) == ([1999], [False])


@pytest.mark.row(72)
def test_a_confirm_that_never_left_is_sent_once_the_gateway_is_back(shop: SandboxShop) -> None:
    shop.pay("tok_sdk")
    brought = shop.brought_back()
    shop.sandbox.kill()
    shop.confirm(brought)
    run(shop.parts, "payments")
    assert shop.attempts[-1] == ("confirm", 1, "NOT_SENT", 1)
    assert (shop.now["certainty"], shop.kept) == ("known", [True])
    shop.sandbox.start()
    shop.work()
    assert (shop.state, shop.charges, shop.kept) == ("SUCCESS", [1999], [False])


@pytest.mark.row(72)
def test_twenty_shops_at_once_confirm_once(shop: SandboxShop) -> None:
    shop.pay("tok_sdk")
    brought = shop.brought_back()
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda number: shop.confirm(brought, f"key-{number % 5}"), range(20)))
    # Who waited too long for the others, on a busy machine, is told to ask again.
    told = {answer.status_code for answer in answers}
    assert 202 in told
    assert told <= {202, 409, 503}
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: run(shop.worker(), "payments"), range(2)))
    assert (shop.state, shop.charges) == ("SUCCESS", [1999])
    assert shop.attempts[1:] == [("confirm", 1, "APPROVED", 1)]


@pytest.mark.row(72)
def test_a_worker_that_died_after_the_confirm_left_is_followed_by_one_that_asks(database_url: str) -> None:
    gateway = ScriptedGateway("scripted", lambda request: ASKED)
    gateway.look_up = answering(ASKED)
    shop = Shop(database_url, gateway)
    shop.pay("tok_ok")

    def charge_and_die(request: GatewayRequest) -> Outcome:
        gateway.charge(request)
        raise SystemExit("killed")

    gateway.confirming, gateway.look_up = charge_and_die, gateway.by_ledger
    shop.confirm({"result": "canary"})
    with pytest.raises(SystemExit):
        run(shop.parts, "payments")
    assert shop.attempts[-1] == ("confirm", 1, "SENT", 1)
    end_leases(shop.api.database)
    run(shop.worker(), "payments")
    assert (shop.state, len(gateway.charges), shop.kept) == ("SUCCESS", 1, [False])
    assert [call.operation.value for call in gateway.calls] == ["process", "confirm"]


@pytest.mark.row(72)
@pytest.mark.parametrize(
    ("says", "decision", "state"),
    [
        (
            Approved("ch_1"),
            {"resolution": "charged", "gateway": "scripted", "gateway_ref": "ch_1"},
            "SUCCESS",
        ),
        (Declined("do_not_honor", "05", gateway_ref="ch_1"), {"resolution": "not_charged"}, "FAILURE"),
    ],
)
def test_a_person_decides_about_a_confirm_that_cannot_be_repeated(
    database_url: str, says: Lookup, decision: dict[str, str], state: str
) -> None:
    gateway = ScriptedGateway("scripted", lambda request: ASKED, key_lifetime_s=0, absence_window_s=0)
    gateway.look_up = answering(ASKED)
    shop = Shop(database_url, gateway)
    shop.pay("tok_ok")
    gateway.confirming, gateway.look_up = answering(Unknown("read timeout")), answering(NotFound())
    shop.confirm({"result": "canary"})
    run(shop.parts, "payments")
    for _ in range(3):
        make_due(shop.api.database)
        run(shop.parts, "verify")
    assert (shop.now["certainty"], shop.attempts[-1]) == ("unknown", ("confirm", 1, "UNKNOWN", 1))
    gateway.look_up = answering(says)
    path = shop.path.replace("/v1/", "/v1/ops/") + "/resolve"
    body = {**decision, "reason": "looked at the dashboard", "evidence": "screenshot 4711"}
    assert shop.api.operator().post(path, json=body).status_code == 200
    assert (shop.state, shop.kept) == (state, [False])
    assert "may or may not" not in shop.merchant.get(shop.path + "/explain").json["certainty"]["because"]
    assert "no usable answer" not in shop.merchant.get(shop.path + "/explain").json["certainty"]["because"]


class TestRaces:
    """A confirm that comes while the gateway is being asked: the worker holds the job."""

    def shop(self, database_url: str, then: Lookup) -> tuple[Shop, ScriptedGateway]:
        gateway = ScriptedGateway("scripted", lambda request: ASKED)
        gateway.look_up = answering(ASKED)
        shop = Shop(database_url, gateway)
        shop.pay("tok_ok")

        def asked_meanwhile(query: StatusQuery) -> Lookup:
            gateway.look_up = answering(then)
            assert shop.confirm({"result": "canary"}).status_code == 202
            return then

        gateway.look_up = asked_meanwhile
        return shop, gateway

    @pytest.mark.row(72)
    def test_it_is_sent_at_once_when_the_gateway_still_waits(self, database_url: str) -> None:
        shop, gateway = self.shop(database_url, ASKED)
        make_due(shop.api.database)
        run(shop.parts, "verify")
        run(shop.parts, "verify")
        assert (shop.state, [call.operation.value for call in gateway.calls]) == (
            "SUCCESS",
            ["process", "confirm"],
        )

    @pytest.mark.row(72)
    @pytest.mark.parametrize(
        ("then", "state"),
        [(Approved("ch_1"), "SUCCESS"), (Declined("do_not_honor", "05", gateway_ref="ch_1"), "FAILURE")],
    )
    def test_it_is_erased_unsent_when_the_gateway_has_gone_on(
        self, database_url: str, then: Lookup, state: str
    ) -> None:
        shop, gateway = self.shop(database_url, then)
        make_due(shop.api.database)
        run(shop.parts, "verify")
        assert (shop.state, shop.kept) == (state, [False])
        assert [call.operation.value for call in gateway.calls] == ["process"]
        assert shop.confirm({"result": "canary"}, "late").status_code == 200
