"""The console's pages, on a database: what each shows, to whom, and that nothing in them is ever markup."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.api_client import CHARGED, Api, start_api
from support.console import Browser, signed_in
from support.html_page import Page
from support.reviews import doubtful, held_back, in_review
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.screening import Action

PAGES = (
    "/",
    "/overview/live",
    "/strip",
    "/figures/payments",
    "/figures/gateways",
    "/payments",
    "/payments?state=FAILURE&within=24h&amount_from=5&gateway=a",
    "/payments?certainty=unknown",
    "/payments?q=nobody",
    "/reviews",
    "/reviews?kind=fraud",
    "/stuck",
    "/refunds",
    "/refunds?status=failed",
    "/disputes",
    "/reconciliation",
    "/settlement",
    "/settlement?days=92",
    "/reports",
    "/analytics",
    "/analytics?over=24h&by=hour&group=arm&currency=EUR",
    "/gateways",
    "/gateways/live",
    "/routing",
    "/rules",
    "/webhooks",
    "/audits",
    "/audits?open=all",
    "/audit-log",
    "/audit-log?actor=console&action=payment.resolved",
    "/keys",
)
OF_A_PAYMENT = (
    "/payments/{id}",
    "/payments/{id}/live",
    "/payments/{id}/json",
    "/payments/{id}?as_of=1",
    "/reviews/{id}",
)
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"--><b>"


@pytest.fixture
def gateway() -> ScriptedGateway:
    return doubtful()


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway) -> Api:
    return start_api(database_url, gateway)


def is_whole(answer: Any) -> None:
    """Assert that it is a page, hardened, without a script or a style of its own, whose tags close."""
    assert answer.status_code == 200, answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    if not answer.content_type.startswith("text/html"):
        return
    text = answer.text
    page = Page(text)
    assert (page.open, page.script) == ([], "")
    ids = [str(given["id"]) for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids)), [one for one in ids if ids.count(one) > 1]
    for tag, given in page.tags:
        assert tag != "style"
        assert not [name for name in given if name == "style" or name.startswith("on")], (tag, given)
        for name in ("src", "href", "action"):
            assert (given.get(name) or "/").startswith(("/console", "/", "#")), (tag, given)


def test_every_page_is_shown_where_nothing_has_happened_yet(api: Api) -> None:
    viewer = signed_in(api, "viewer")
    for page in PAGES:
        is_whole(viewer.get(f"/console{page}"))
    first = viewer.get("/console/").text
    for said in ("Nothing waits for a person.", "Nothing is in doubt.", "Nothing is stuck."):
        assert said in first
    assert "No payments yet." in viewer.get("/console/payments").text
    assert "None yet" not in viewer.get("/console/reviews").text
    assert "No delivery is dead." in viewer.get("/console/webhooks").text
    assert "The audit has not run yet." in viewer.get("/console/audits").text


def test_every_page_is_shown_of_payments_in_every_condition(api: Api, gateway: ScriptedGateway) -> None:
    shop = api.merchant()
    charged = shop.accepted()["id"]
    api.settle(*CHARGED)
    ids = [charged, in_review(api.database, gateway), held_back(api.database, Action.REVIEW, key="key-2")]
    ids.append(shop.accepted()["id"])
    admin, viewer = signed_in(api, "admin", "eve"), signed_in(api, "viewer", "bob")
    for page in PAGES:
        is_whole(admin.get(f"/console{page}"))
    for payment_id in ids:
        for page in OF_A_PAYMENT:
            is_whole((viewer if payment_id == ids[1] else admin).get(f"/console{page.format(id=payment_id)}"))


def test_what_merchants_and_gateways_write_stays_text(api: Api, gateway: ScriptedGateway) -> None:
    shop = api.merchant()
    fields = {"reference": MARKUP[:60], "description": MARKUP, "metadata": {"plan": MARKUP}}
    payment_id = shop.accepted(**fields, customer={"id": MARKUP})["id"]
    insert = "INSERT INTO incidents (id, invariant, payment_id, looked, summary, evidence) VALUES"
    api.database.run(
        lambda tx: tx.exec_driver_sql(
            f"{insert} ('inc_1', 'I1', %(id)s, 'payments', %(text)s, '{{}}')",
            {"id": payment_id, "text": MARKUP},
        )
    )
    api.database.run(
        lambda tx: tx.exec_driver_sql("UPDATE jobs SET reason = %(text)s", {"text": MARKUP[:90]})
    )
    operator = signed_in(api)
    for page in (*PAGES, *(one.format(id=payment_id) for one in OF_A_PAYMENT)):
        answer = operator.get(f"/console{page}")
        is_whole(answer)
        if answer.content_type.startswith("text/html"):
            assert "<script>alert" not in answer.text, page
            assert "<img src=x" not in answer.text, page
    assert "&lt;script&gt;alert(1)" in operator.get(f"/console/payments/{payment_id}").text
    for page in ("/payments?q=", "/payments?error_code=", "/audit-log?actor=", "/payments?state="):
        answer = operator.get(f"/console{page}%3Cscript%3Ealert(1)%3C/script%3E")
        assert "<script>alert" not in answer.text, page


def test_nobody_sees_a_page_without_logging_in(api: Api) -> None:
    nobody = Browser(api.app.test_client())
    for page in (*PAGES, *(one.format(id="pay_" + "0" * 32) for one in OF_A_PAYMENT)):
        answer = nobody.get(f"/console{page}")
        assert (answer.status_code, answer.headers["Location"][:14]) == (303, "/console/login"), page


def test_a_viewer_can_act_nowhere(api: Api, gateway: ScriptedGateway) -> None:
    payment_id = in_review(api.database, gateway)
    viewer = signed_in(api, "viewer")
    filled = {
        "payment_id": payment_id,
        "kind": "refund",
        "name": "routing",
        "key_id": "key_1",
        "endpoint_id": "whe_1",
    }
    filled["event_id"] = f"evt_{payment_id.removeprefix('pay_')}_1"
    acts = [
        rule
        for rule in api.app.url_map.iter_rules()
        if rule.endpoint.startswith("console.") and "POST" in (rule.methods or ())
    ]
    assert len(acts) >= 9
    for rule in acts:
        if rule.rule == "/console/theme":
            continue
        path = re.sub(r"<(?:[^:>]*:)?([a-z_]+)>", lambda found: filled[found[1]], rule.rule)
        answer = viewer.post(path, "/console/", reason="because I would like to do so")
        assert answer.status_code == 403, path
    assert "Decide…" not in viewer.get("/console/gateways").text
    assert "Your role is viewer." in viewer.get(f"/console/reviews/{payment_id}").text


def test_a_page_that_is_not_there_is_said_in_the_consoles_own_form(api: Api) -> None:
    browser = signed_in(api, "viewer")
    for page in ("/nothing", "/payments/pay_1", f"/payments/pay_{'0' * 32}", "/gateways/nobody/pause"):
        answer = browser.get(f"/console{page}")
        assert answer.status_code in (403, 404), page
        assert Page(answer.text).open == []
    assert browser.get("/console").status_code == 308


def test_files_are_kept_by_browsers_and_come_from_here_only(api: Api) -> None:
    browser = signed_in(api, "viewer")
    page = browser.get("/console/").text
    links = re.findall(r'(?:src|href)="(/console/files/[^"]+)"', page)
    assert {link.rsplit("/", 1)[1] for link in links} >= {
        "console.css",
        "console.js",
        "htmx.min.js",
        "uPlot.iife.min.js",
        "icon.svg",
    }
    for link in links:
        answer = browser.get(link)
        assert (answer.status_code, "immutable" in answer.headers["Cache-Control"]) == (200, True)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)
    assert browser.get("/console/files/x/../layout.py").status_code == 404
    assert browser.get("/console/files/x/vendor/pico.LICENSE.md").status_code == 404


def test_the_strip_tells_the_worst_that_is_true(api: Api, gateway: ScriptedGateway) -> None:
    viewer = signed_in(api, "viewer")

    def told() -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", viewer.get("/console/strip").text))

    assert "The audit has never run here." in told()
    audited = "INSERT INTO audit_cursors (name, position) VALUES ('payments', '')"
    api.database.run(lambda tx: tx.exec_driver_sql(audited))
    assert "Safe No money is known to be wrong. Nothing is in doubt" in told()
    payment_id = in_review(api.database, gateway)
    assert "Needs you No money is known to be wrong. 1 payment waits for a person: 19.99 USD." in told()
    api.database.run(
        lambda tx: tx.exec_driver_sql("UPDATE audit_cursors SET updated_at = now() - interval '1 hour'")
    )
    assert "Can’t tell The last audit ended 1 h ago." in told()
    insert = "INSERT INTO incidents (id, invariant, payment_id, looked, summary, evidence) VALUES"
    row = f"{insert} ('inc_1', 'I1', %(id)s, 'payments', 'two charges stand', '{{}}')"
    api.database.run(lambda tx: tx.exec_driver_sql(row, {"id": payment_id}))
    assert "Wrong 1 payment breaks I1." in told()
    assert "charged twice 1" in told()


def test_one_box_opens_what_it_finds(api: Api) -> None:
    shop, viewer = api.merchant(), signed_in(api, "viewer")
    found = shop.accepted(reference="order-1")["id"]
    assert viewer.get("/console/payments?q=order-1").headers["Location"] == f"/console/payments/{found}"
    other = api.merchant("mer_b").accepted(reference="order-1")["id"]
    listed = viewer.get("/console/payments?q=order-1").text
    assert found in listed
    assert other in listed
    assert "Nothing belongs to “order-2”." in viewer.get("/console/payments?q=order-2").text


def test_filters_are_in_the_url_and_what_can_t_be_read_is_said(api: Api) -> None:
    shop, viewer = api.merchant(), signed_in(api, "viewer")
    cheap, dear = shop.accepted(amount=500)["id"], shop.accepted(amount=25_000)["id"]
    page = viewer.get("/console/payments?amount_from=100&currency=usd").text
    assert dear in page
    assert cheap not in page
    assert "/console/payments?currency=usd" in page, "a chip leads to the list without its filter"
    for wrong in ("amount_from=much", "currency=XXX", "state=LOST", "within=ever", "certainty=perhaps"):
        assert "Not filtered." in viewer.get(f"/console/payments?{wrong}").text, wrong
    assert "No payment matches" in viewer.get("/console/payments?gateway=b").text


def test_a_card_number_in_a_box_is_not_shown_again(api: Api) -> None:
    viewer = signed_in(api, "viewer")
    for page in ("/payments?q=", "/payments?customer_id=", "/audit-log?actor="):
        shown = viewer.get(f"/console{page}4111111111111111")
        assert (shown.status_code, "4111111111111111" in shown.text) == (200, False), page


def test_a_payment_is_shown_as_it_stood(api: Api) -> None:
    payment_id = api.merchant().accepted()["id"]
    api.settle(*CHARGED)
    viewer = signed_in(api, "viewer")

    def state(query: str) -> str:
        page = viewer.get(f"/console/payments/{payment_id}{query}").text
        found = re.search(r'id="as-of-out"><span><span class="faint">state</span> ([A-Z]+)', page)
        assert found
        return found[1]

    assert [state(query) for query in ("", "?as_of=1", "?as_of=2", "?as_of=99")] == [
        "SUCCESS",
        "INITIATED",
        "PROCESSING",
        "SUCCESS",
    ]
    assert state("?as_of=1990-01-01T00:00:00Z") == "INITIATED"
    assert state("?as_of=anything") == "SUCCESS"


def test_the_theme_is_kept_in_a_cookie(api: Api) -> None:
    viewer = signed_in(api, "viewer")
    assert "data-theme" not in viewer.get("/console/").text
    chosen = viewer.post("/console/theme", "/console/", theme="dark", back="/console/stuck")
    assert (chosen.status_code, chosen.headers["Location"]) == (303, "/console/stuck")
    assert '<html lang="en" data-theme="dark">' in viewer.get("/console/").text
    away = viewer.post("/console/theme", "/console/", theme="auto", back="https://evil.example/")
    assert away.headers["Location"] == "/console/"
    assert "data-theme" not in viewer.get("/console/").text
