"""Operators at the console, in a browser, with workers and gateways behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from unittest.mock import patch

import pytest
from playwright.sync_api import Browser, Page, expect
from support.chromium import Visit, chromium, visiting
from support.console import PASSWORD, a_user, token_of_a_session
from support.installation import SOON_S, Installation, card, wait_until

from aegis_worker.domain.people import Role
from aegis_worker.persistence.database import Database
from aegis_worker.sealing.ring import KeyRing
from aegis_worker.settings import load_settings

# Above AEGIS_TWO_PERSON_ABOVE of the shared installation.
MUCH = 700_000
# Below it, and more than what other tests charge.
LESS = 450_000
WHY = "agreed with the shop by telephone"


@dataclass(frozen=True)
class Accounts:
    """Where people of the installation have their accounts."""

    database: Database
    ring: KeyRing
    url: str


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def accounts(browser: Browser, running: Installation) -> Iterator[Accounts]:
    with patch.dict(os.environ, running.settings):
        settings = load_settings()
    database = Database.connect(settings, application="test")
    yield Accounts(database, KeyRing(settings.sealing_keys), running.ready["api_url"])
    database.engine.dispose()


@pytest.fixture(scope="module")
def tokens(accounts: Accounts) -> dict[str, str]:
    """Sessions of people, by name."""
    people: dict[str, Role] = {"bob": "operator", "eve": "operator", "vic": "viewer"}
    return {name: token_of_a_session(accounts, role, name) for name, role in people.items()}


@pytest.fixture
def bob(browser: Browser, accounts: Accounts, tokens: dict[str, str]) -> Iterator[Visit]:
    with visiting(browser, accounts.url, tokens["bob"]) as visit:
        yield visit


def main(page: Page) -> str:
    return page.inner_text("main")


def log_says(visit: Visit, action: str, *texts: str) -> None:
    """Assert that the newest entry of the audit log about this action has each of the texts."""
    row = visit.open(f"/audit-log?action={action}").locator("main tbody tr").first
    for text in texts:
        expect(row).to_contain_text(text)


def done(page: Page) -> str:
    """What the console says that was done."""
    return page.locator("main .note.ok").first.inner_text()


def test_a_person_logs_in_and_follows_a_payment_live(
    browser: Browser, accounts: Accounts, running: Installation
) -> None:
    ada = a_user(accounts, "operator", "ada")
    with visiting(browser, accounts.url) as visit:
        page = visit.open("/payments")
        assert visit.path == "/console/login"
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_label("Code of your authenticator").fill(ada.code(accounts.database))
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/console/payments")
        reply = running.post(card("tok_visa", capture_method="manual", reference="table 7"))
        payment_id = str(reply.body["id"])
        wait_until(lambda: running.payment(payment_id)["state"] == "AUTHORIZED", SOON_S)
        page.get_by_role("link", name="Overview").locator("visible=true").click()
        page.get_by_role("link", name="Payments", exact=True).locator("visible=true").click()
        page.get_by_role("link", name="table 7").click()
        expect(page.locator("#p-head")).to_contain_text("Held")
        steps = page.locator("#p-story li[data-seq]")
        expect(steps.first).to_contain_text("Accepted")
        held = steps.count()
        running.capture(payment_id)
        # Nobody loads the page again.
        expect(page.locator("#p-head")).to_contain_text("Charged", timeout=SOON_S * 1000)
        expect(page.locator("#p-entities")).to_contain_text("capture")
        assert steps.count() > held
        page.get_by_role("button", name="Log out").locator("visible=true").click()
        page.wait_for_url("**/console/login")
        page.go_back()
        expect(page.locator("main")).not_to_contain_text("table 7")


@pytest.mark.slow
def test_an_operator_captures_what_is_held(bob: Visit, running: Installation) -> None:
    payment_id = str(running.post(card("tok_visa", capture_method="manual")).body["id"])
    wait_until(lambda: running.payment(payment_id)["state"] == "AUTHORIZED", SOON_S)
    page = bob.open(f"/payments/{payment_id}")
    page.get_by_role("link", name="Capture…").click()
    page.get_by_label("How much").fill("19.99")
    page.get_by_label("Why").fill(WHY)
    page.get_by_role("button", name="Capture").click()
    assert done(page).startswith("Ordered")
    assert running.ended(payment_id)["state"] == "SUCCESS"
    assert [charge["captured"] for charge in running.charges(payment_id)] == [1999]
    log_says(bob, "capture.ordered", "console:bob", WHY)


# More stops than any page of these tests has before what is looked for.
MOST_TABS = 150
FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
    const name = at.labels?.length ? at.labels[0].innerText : at.innerText || at.value || at.ariaLabel || "";
    const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    const seen = box.bottom > 0 && box.top < innerHeight && box.right > 0;
    return [name.trim(), ringed && seen];
}"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has this name is reached, and assert that each stop on the way can be seen as one."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        reached, is_seen = page.evaluate(FOCUSED)
        assert is_seen, reached
        if reached.startswith(name):
            return
    raise AssertionError(f"{name} is not reached by Tab on {page.url}")


@pytest.mark.slow
def test_what_is_held_is_captured_by_keyboard_alone(bob: Visit, running: Installation) -> None:
    payment_id = str(running.post(card("tok_visa", capture_method="manual")).body["id"])
    wait_until(lambda: running.payment(payment_id)["state"] == "AUTHORIZED", SOON_S)
    page = bob.open(f"/payments/{payment_id}")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == ["Skip to content", True]
    page.keyboard.press("Enter")
    tab_to(page, "Capture")
    page.keyboard.press("Enter")
    page.wait_for_url("**/capture*")
    tab_to(page, "How much")
    page.keyboard.press("Control+A")
    page.keyboard.type("19.99")
    tab_to(page, "Why")
    page.keyboard.type(WHY)
    tab_to(page, "Capture")
    page.keyboard.press("Enter")
    expect(page.locator("main .note.ok").first).to_contain_text("Ordered")
    assert running.ended(payment_id)["state"] == "SUCCESS"


@pytest.mark.slow
def test_a_refund_of_much_is_made_when_a_second_person_has_approved_it(
    bob: Visit, browser: Browser, accounts: Accounts, tokens: dict[str, str], running: Installation
) -> None:
    payment_id = str(running.post(card("tok_visa") | {"amount": MUCH}).body["id"])
    assert running.ended(payment_id)["state"] == "SUCCESS"
    page = bob.open(f"/payments/{payment_id}")
    page.get_by_role("link", name="Refund…").click()
    page.get_by_label("How much").fill("7000.00")
    page.get_by_label("Why").fill(WHY)
    page.get_by_role("button", name="Refund").click()
    approval = bob.path.removeprefix("/console")
    assert approval.startswith("/approvals/")
    assert page.get_by_role("button", name="Approve").count() == 0
    assert running.payment(payment_id)["amounts"]["refunded"] == 0
    with visiting(browser, accounts.url, tokens["vic"]) as vic:
        assert vic.open(approval).locator("main form").count() == 0
    with visiting(browser, accounts.url, tokens["eve"]) as eve:
        page = eve.open(approval)
        form = page.locator("form", has=page.get_by_role("button", name="Approve"))
        form.get_by_label("Reason").fill("seen the shop's order")
        form.get_by_role("button").click()
        expect(page.locator("main")).to_contain_text("console:eve")
        log_says(eve, "approval.approved", "console:eve", "seen the shop's order")
    wait_until(lambda: running.payment(payment_id)["amounts"]["refunded"] == MUCH, SOON_S)


@pytest.mark.slow
def test_an_operator_pauses_and_resumes_a_gateway(bob: Visit, running: Installation) -> None:
    page = bob.open("/gateways/sandbox_a/pause")
    page.get_by_label("Why").fill("their maintenance window")
    page.get_by_role("button", name="Pause sandbox_a").click()
    assert done(page).startswith("Paused")
    try:
        # Workers know within two seconds.
        wait_until(lambda: running.ended(running.accepted("tok_visa"))["gateway"] == "sandbox_b", SOON_S)
        log_says(bob, "gateway.paused", "console:bob", "sandbox_a", "their maintenance window")
    finally:
        page = bob.open("/gateways/sandbox_a/pause")
        page.get_by_role("button", name="Resume sandbox_a").click()
    assert done(page).startswith("Resumed")
    log_says(bob, "gateway.resumed", "console:bob", "sandbox_a")


@pytest.mark.slow
def test_an_operator_tries_applies_and_reverts_routing(bob: Visit, running: Installation) -> None:
    running.ended(running.accepted("tok_visa"))
    page = bob.open("/routing")
    before = page.get_by_label("Routing", exact=True).input_value()
    try:
        page.get_by_label("Routing", exact=True).fill('strategy = "ROUND_ROBIN"')
        page.get_by_role("button", name="Try it").click()
        expect(page.locator("h1")).to_contain_text("would go elsewhere")
        expect(page.locator("svg.flow").first).to_be_visible()
        page.get_by_label("Why").fill("both gateways have the same fees")
        page.get_by_role("button", name="Apply version").click()
        assert done(page).startswith("In force")
        assert "ROUND_ROBIN" in page.get_by_label("Routing", exact=True).input_value()
        log_says(bob, "routing.changed", "console:bob", "both gateways have the same fees")
    finally:
        page = bob.open("/routing")
        page.get_by_label("Why").fill("back to what the file says")
        page.get_by_role("button", name="Let the file hold again").click()
    assert done(page).startswith("In force")
    assert page.get_by_label("Routing", exact=True).input_value() == before


@pytest.mark.slow
def test_a_payment_that_rules_hold_back_goes_on_when_an_operator_lets_it(
    bob: Visit, running: Installation
) -> None:
    page = bob.open("/rules")
    page.get_by_label("Rules", exact=True).fill('[high_value]\naction = "review"\nabove = { USD = 400000 }')
    page.get_by_label("Why").fill("many chargebacks of much")
    page.get_by_role("button", name="Apply version").click()
    assert done(page).startswith("In force")
    try:

        def is_held_back() -> bool:
            body = card("tok_visa", reference=f"yacht {len(ids)}") | {"amount": LESS}
            ids.append(str(running.post(body).body["id"]))
            wait_until(lambda: held(ids[-1]) or running.payment(ids[-1])["state"] == "SUCCESS", SOON_S)
            return held(ids[-1])

        def held(payment_id: str) -> bool:
            return bool(
                running.rows(
                    "SELECT 1 FROM jobs WHERE payment_id = %(id)s AND status = 'review'", id=payment_id
                )
            )

        ids: list[str] = []
        wait_until(is_held_back, SOON_S)
    finally:
        page = bob.open("/rules")
        page.get_by_label("Why").fill("back to what the file says")
        page.get_by_role("button", name="Let the file hold again").click()
        assert done(page).startswith("In force")
    # From the strip to a recorded decision in three clicks.
    page.locator("#strip").get_by_role("link", name="payment").first.click()
    page.locator(f'main a[href="/console/reviews/{ids[-1]}"]').click()
    page.get_by_label("Let it go on", exact=False).first.check()
    page.get_by_label("Why").fill("the shop knows the payer")
    page.get_by_role("button", name="Approve: 4,500.00 USD").click()
    assert running.ended(ids[-1])["state"] == "SUCCESS"
    log_says(bob, "payment.resolved", "console:bob", "the shop knows the payer")
