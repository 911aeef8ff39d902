"""Each page of the console in a browser, with payments in every condition: barriers, widths, scripts, what others wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from support.api_client import CHARGED, HELD, Api, applications, start_api
from support.chromium import LAPTOP, PHONE, Theme, chromium, visiting
from support.console import token_of_a_session
from support.merchant_server import a_sink, answers
from support.payments import accept_one, pipeline
from support.reviews import doubtful, held_back, in_review
from support.running_api import running_api
from support.scripted_gateway import ScriptedGateway

from aegis_worker.console_settings import ConsoleSettings
from aegis_worker.domain.outcomes import Declined
from aegis_worker.domain.people import Role
from aegis_worker.domain.screening import Action
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence.api_keys import list_keys
from aegis_worker.pipeline.run import run

PAGES = (
    "/",
    "/payments",
    "/payments?state=FAILURE&within=24h&amount_from=5",
    "/payments?q=nobody",
    "/reviews",
    "/reviews?kind=fraud",
    "/stuck",
    "/approvals",
    "/refunds",
    "/disputes",
    "/reconciliation",
    "/settlement",
    "/reports",
    "/reports/explored.json",
    "/payments?certainty=unknown",
    "/analytics",
    "/analytics?over=400d&group=none&merchant_id=nobody",
    "/gateways",
    "/gateways/sandbox_a/pause",
    "/routing",
    "/rules",
    "/webhooks",
    "/audits",
    "/audit-log",
    "/keys",
    "/people",
    "/account",
)
# As text it says this; as markup it would be an element `x-x`, an image of nowhere, a dialog.
MARKUP = (
    "'\"--></textarea></script><x-x>oh</x-x><img src=/x onerror=alert(1)><script>alert(2)</script>{{7*7}}"
)
SHORT = "<x-x>oh</x-x><img src=/x onerror=alert(1)>\"'"
# Of the payment `broken`, so that its page alone breaks.
AN_OUTCOME_THAT_IS_NONE = """
INSERT INTO attempts (payment_id, operation, number, gateway, gateway_key, request_hash, status, outcome, lease_epoch)
SELECT id, 'process', 1, 'sandbox_a', id || '-p1', '', 'APPROVED', '[1]', 1 FROM payments WHERE reference = 'broken'
"""
FOR_ALL = ("/login", "/welcome")
THEMES: tuple[Theme, ...] = ("light", "dark")
WHY = "agreed with the shop by telephone"
NOT_FOR_OPERATORS = re.compile("/(people|revoke)$")
NOT_FOR_VIEWERS = re.compile("/(people|capture|cancel|refund|pause|revoke)$")


@dataclass(frozen=True)
class Full:
    """A console with payments in every condition, and sessions of people by role."""

    url: str
    tokens: dict[str, str]
    payments: dict[str, str]
    approval: str
    key: str

    @property
    def pages(self) -> list[str]:
        """Every page that somebody logged in can open."""
        held = self.payments["held"]
        of_payments = [f"/payments/{each}" for name, each in self.payments.items() if name != "broken"]
        reviews = [f"/reviews/{self.payments[name]}" for name in ("doubt", "held back", "charged")]
        orders = [
            f"/payments/{held}/capture",
            f"/payments/{held}/cancel",
            f"/payments/{self.payments['charged']}/refund",
        ]
        others = [f"/approvals/{self.approval}", f"/keys/{self.key}/revoke"]
        return [*PAGES, *of_payments, *reviews, *orders, *others]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def full(
    browser: Browser, stores: Stores, shared_database: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Full]:
    url = shared_database.url
    with applications.of_a_test(), a_sink() as shop:
        shop.otherwise["/hooks"] = answers(500, MARKUP.encode())
        console = ConsoleSettings("", (), {"USD": 500})
        api = start_api(url, ScriptedGateway("sandbox_a"), webhook_allow_private=True, console=console)
        api.merchant("mer_hooks").post("/v1/webhook-endpoints", json={"url": shop.url()})
        payments = payments_in_every_condition(api)
        approval = a_refund_that_waits(api, payments["charged"])
        key = str(list_keys(api.database)[0].id)
        roles: tuple[Role, ...] = ("viewer", "operator", "admin")
        tokens: dict[str, str] = {role: token_of_a_session(api, role, role) for role in roles}
        settings = {"AEGIS_WEBHOOK_ALLOW_PRIVATE": "true", "AEGIS_TWO_PERSON_ABOVE": "*:5000"}
        folder = tmp_path_factory.mktemp("console")
        settings["AEGIS_CONSOLE_REPORTS"] = str(reports_in(folder / "reports"))
        with running_api(url, stores.valkey.url, folder, **settings) as running:
            yield Full(f"http://127.0.0.1:{running.port}", tokens, payments, approval, key)
    shared_database.empty()


def reports_in(folder: Path) -> Path:
    """A page with a link that leads out of its frame, and figures whose names are markup."""
    folder.mkdir()
    tries = (
        "<script>top.location = 'https://elsewhere.example/'</script><a href=/console/ target=_top>away</a>"
    )
    (folder / "held.html").write_text(
        f"<!doctype html><html lang=en><title>t</title><main><h1>held</h1>{tries}</main>"
    )
    explored = {"configuration": MARKUP, "faults": 1, "states": 7, "complete": True, "found": []}
    (folder / "explored.json").write_text(json.dumps({"explored": [explored], "verdict": MARKUP}))
    return folder


def payments_in_every_condition(api: Api) -> dict[str, str]:
    """Payments by what they are an example of."""
    shop, database, made = api.merchant(), api.database, {}
    written = {"reference": SHORT, "description": MARKUP, "metadata": {"plan": MARKUP}}
    made["charged"] = shop.accepted(**written, customer={"id": MARKUP})["id"]
    api.settle(*CHARGED)
    made["held"] = shop.accepted(capture_method="manual", reference="table 7")["id"]
    api.settle(*HELD, status="waiting")
    made["doubt"] = in_review(database, doubtful(name="sandbox_a"), key="key-doubt")
    made["held back"] = held_back(database, Action.REVIEW, key="key-held")
    made["declined"] = accept_one(database, "key-declined").payment.id
    no = Declined("do_not_honor", SHORT, MARKUP, gateway_ref=SHORT)
    run(pipeline(database, ScriptedGateway("sandbox_a", lambda request: no)), "payments")
    made["accepted"] = shop.accepted()["id"]
    made["broken"] = shop.accepted(reference="broken")["id"]
    database.run(lambda tx: tx.exec_driver_sql(AN_OUTCOME_THAT_IS_NONE))
    return made


def a_refund_that_waits(api: Api, payment_id: str) -> str:
    """The approval of a refund that one operator asked for."""
    asked = api.operator(MARKUP[:90]).post(
        f"/v1/ops/payments/{payment_id}/refunds",
        json={"amount": 900, "reason": MARKUP},
        headers={"Idempotency-Key": "refund-1"},
    )
    return str(asked.json["approval"]["id"])


@pytest.mark.slow
@pytest.mark.parametrize("role", ["admin", None])
def test_axe_finds_no_barrier_on_any_page_on_laptop_and_phone_light_and_dark(
    browser: Browser, full: Full, role: str | None
) -> None:
    found = {}
    with visiting(browser, full.url, full.tokens[role] if role else None, for_axe=True) as visit:
        for path in full.pages if role else FOR_ALL:
            page = visit.open(path)
            for width, height in (LAPTOP, PHONE):
                page.set_viewport_size({"width": width, "height": height})
                for theme in THEMES:
                    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                    if barriers := visit.barriers():
                        found[path, width, theme] = barriers
        assert not found, found


@pytest.mark.slow
@pytest.mark.parametrize("status", [403, 404, 500])
def test_axe_finds_no_barrier_on_a_page_that_says_no(browser: Browser, full: Full, status: int) -> None:
    role, path = {
        403: ("viewer", "/people"),
        404: ("admin", "/nothing-here"),
        500: ("admin", f"/payments/{full.payments['broken']}"),
    }[status]
    with visiting(browser, full.url, full.tokens[role], for_axe=True) as visit:
        page = visit.open(path, status=status)
        for (width, height), theme in product((LAPTOP, PHONE), THEMES):
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            assert visit.barriers() == [], (width, theme)
            assert visit.overflows() <= 0, (width, theme)


@pytest.mark.slow
def test_no_page_is_wider_than_its_window(browser: Browser, full: Full) -> None:
    found = {}
    with visiting(browser, full.url, full.tokens["admin"]) as visit, visiting(browser, full.url) as stranger:
        for who, paths in ((visit, full.pages), (stranger, FOR_ALL)):
            for path in paths:
                page = who.open(path)
                for width in (320, 390, 1024, 1440):
                    page.set_viewport_size({"width": width, "height": 800})
                    if (over := who.overflows()) > 0:
                        found[path, width] = over
    assert found == {}


@pytest.mark.slow
def test_what_others_wrote_stays_text_on_every_page(browser: Browser, full: Full) -> None:
    # No dialog, no request elsewhere, no report of the policy: `visiting` looks. Here: no element came of it.
    with visiting(browser, full.url, full.tokens["admin"]) as visit:
        for path in full.pages:
            page = visit.open(path)
            assert page.locator("x-x, img[src='/x']").count() == 0, path
            assert page.locator("script:not([src])").count() == 0, path
        page = visit.open(f"/payments/{full.payments['charged']}")
        expect(page.locator("main")).to_contain_text(SHORT)
        expect(page.locator("main")).to_contain_text(MARKUP)
        page = visit.open(f"/payments/{full.payments['declined']}")
        for summary in page.locator("main details summary").all():
            summary.click()
        expect(page.locator("main")).to_contain_text(SHORT)
        assert page.locator("x-x").count() == 0


@pytest.mark.slow
def test_what_operators_write_and_endpoints_answer_stays_text(browser: Browser, full: Full) -> None:
    with visiting(browser, full.url, full.tokens["operator"]) as visit:
        page = visit.open("/gateways/sandbox_b/pause")
        page.get_by_label("Why").fill(MARKUP)
        page.get_by_role("button", name="Pause sandbox_b").click()
        expect(page.locator("main")).to_contain_text(MARKUP)
        page = visit.open("/routing")
        page.get_by_label("Routing", exact=True).fill(MARKUP)
        page.get_by_label("Why").fill(MARKUP)
        page.get_by_role("button", name="Apply version").click()
        expect(page.locator("#refused")).to_contain_text("neither JSON nor TOML")
        assert page.get_by_label("Routing", exact=True).input_value() == MARKUP
        assert page.get_by_label("Why").input_value() == MARKUP
        page.get_by_label("Routing", exact=True).fill('strategy = "ROUND_ROBIN"')
        page.get_by_role("button", name="Apply version").click()
        expect(page.locator("main .note.ok")).to_contain_text("In force")
        expect(page.locator("main")).to_contain_text(MARKUP)
        page = visit.open(f"/payments/{full.payments['charged']}/refund")
        page.get_by_label("How much").fill(MARKUP)
        page.get_by_label("Why").fill(MARKUP)
        page.get_by_role("button", name="Refund").click()
        assert page.get_by_label("How much").input_value() == MARKUP
        page = visit.open("/webhooks")
        page.get_by_role("button", name="Send test event").first.click()
        expect(page.locator("main .note.bad")).to_contain_text("<x-x>oh</x-x>")
        for path in ("/gateways", "/gateways/sandbox_b/pause", "/routing", "/webhooks", "/audit-log", "/"):
            assert visit.open(path).locator("x-x, img[src='/x']").count() == 0, path
        expect(visit.open("/audit-log?action=gateway.paused").locator("main")).to_contain_text(MARKUP)


@pytest.mark.slow
def test_a_viewer_reads_every_page_and_acts_on_none(browser: Browser, full: Full) -> None:
    with visiting(browser, full.url, full.tokens["viewer"]) as visit:
        for path in [path for path in full.pages if not NOT_FOR_VIEWERS.search(path)]:
            page = visit.open(path)
            assert (
                path == "/account" or page.locator("main form[method=post]:not(.own) button").count() == 0
            ), path
        token = page.locator("input[name=csrf]").first.input_value()
        for path in (
            f"/payments/{full.payments['charged']}/refund",
            f"/reviews/{full.payments['doubt']}",
            "/gateways/sandbox_a/pause",
            "/routing",
            "/rules",
            "/keys",
        ):
            script = "([url, body]) => fetch(url, {method: 'POST', body: new URLSearchParams(body)}).then(a => a.status)"
            assert page.evaluate(script, [f"/console{path}", {"csrf": token, "do": "file"}]) == 403, path
            visit.wrong.pop()


@pytest.mark.slow
def test_without_scripts_every_page_is_whole_and_a_decision_can_be_made(browser: Browser, full: Full) -> None:
    with visiting(browser, full.url, full.tokens["operator"], scripts=False) as visit:
        for path in [path for path in full.pages if not NOT_FOR_OPERATORS.search(path)]:
            page = visit.open(path)
            assert page.locator("main h1").count() == 1, path
            assert page.locator("[data-live]:visible").count() == 0, path
        page = visit.open(f"/payments/{full.payments['held']}")
        page.get_by_role("link", name="Cancel…").click()
        page.get_by_label("Type the amount").fill("19.99")
        page.get_by_label("Why").fill(WHY)
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("main .note.ok")).to_contain_text("Ordered")
        page = visit.open(f"/reviews/{full.payments['doubt']}")
        page.get_by_role("radio", name="Not charged", exact=False).check()
        page.get_by_label("Where you looked").select_option("dashboard")
        page.get_by_label("Where others can see it").fill("INC-884")
        page.get_by_label("What you saw").fill("searched by our key, nothing there")
        page.get_by_label("Type the amount").fill("1.00")
        page.get_by_role("button", name="Record it").click()
        expect(page.locator("#refused")).to_contain_text("Type the amount to confirm")
        assert page.get_by_label("What you saw").input_value() == "searched by our key, nothing there"
        page.get_by_label("Type the amount").fill("19.99")
        page.get_by_role("button", name="Record it").click()
        expect(page.locator("main .note.ok")).to_contain_text("Recorded.")
