"""How somebody comes to have an account: a welcome code, a password, an authenticator, recovery codes."""

from __future__ import annotations

import re

import pytest
from support.api_client import Api, start_api
from support.console import PASSWORD, Ada, Browser, signed_in
from support.payments import rows

from aegis_worker.people.users import Welcomed, add_user, disable_user, reset_user

PAGE = "/console/welcome"
WHY = {"actor": "cli:root", "reason": "for a test"}


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api.app.test_client())


@pytest.fixture
def welcomed(api: Api) -> Welcomed:
    return add_user(api.database, api.ring, "ada", "operator", **WHY)


def shown(browser: Browser, code: str) -> Ada:
    page = browser.post(PAGE, PAGE, welcome_code=code)
    assert page.status_code == 200, page.text
    found = re.search("Secret: <code>([A-Z2-7]{32})</code>", page.text)
    assert found is not None
    return Ada("ada", found[1])


def take_up(browser: Browser, welcome: str, password: str = PASSWORD, **more: str) -> tuple[int, str]:
    fields = {"welcome_code": welcome, "password": password, "password_again": password, **more}
    answer = browser.post("/console/welcome/credentials", PAGE, **fields)
    return answer.status_code, answer.text


def recovery_codes(page: str) -> list[str]:
    return re.findall("<li><code>([A-Z2-7-]{19})</code>", page)


def test_a_welcome_code_leads_to_a_password_an_authenticator_and_recovery_codes(
    api: Api, browser: Browser, welcomed: Welcomed
) -> None:
    ada = shown(browser, welcomed.code)
    proof = ada.code(api.database)
    status, page = take_up(browser, welcomed.code.lower(), code=proof)
    assert status == 200
    recovery = recovery_codes(page)
    assert len(recovery) == 10
    assert browser.log_in("ada", PASSWORD, recovery[3]).status_code == 303
    assert "9 of 10 are left" in browser.get("/console/account").text
    # The code that proved the authenticator was taken then.
    assert browser.log_in("ada", PASSWORD, proof).status_code == 403
    assert browser.log_in("ada", PASSWORD, ada.code(api.database, later=1)).status_code == 303


def test_it_is_good_once_for_a_day_and_stands_nowhere(api: Api, browser: Browser, welcomed: Welcomed) -> None:
    ada = shown(browser, welcomed.code)
    assert take_up(browser, welcomed.code, code=ada.code(api.database))[0] == 200
    assert browser.post(PAGE, PAGE, welcome_code=welcomed.code).status_code == 403
    assert take_up(browser, welcomed.code, code=ada.code(api.database, later=1))[0] == 403
    late = reset_user(api.database, api.ring, "ada", **WHY)
    api.database.run(lambda tx: tx.exec_driver_sql("UPDATE console_users SET code_until = clock_timestamp()"))
    assert browser.post(PAGE, PAGE, welcome_code=late.code).status_code == 403
    kept = str(
        rows(api.database, "SELECT t::text FROM console_users t UNION ALL SELECT t::text FROM audit_log t")
    )
    assert welcomed.code not in kept
    assert ada.secret not in kept


def test_a_password_that_is_no_good_or_a_wrong_code_leaves_the_welcome_code_good(
    api: Api, browser: Browser, welcomed: Welcomed
) -> None:
    ada = shown(browser, welcomed.code)
    assert take_up(browser, welcomed.code, "short", code=ada.code(api.database))[0] == 422
    assert take_up(browser, welcomed.code, code="000000")[0] == 422
    assert take_up(browser, welcomed.code, password_again="another", code=ada.code(api.database))[0] == 422
    assert take_up(browser, welcomed.code, code=ada.code(api.database))[0] == 200


def test_who_is_reset_or_disabled_is_out_at_once_with_all_they_had(api: Api) -> None:
    browser = signed_in(api)
    again = reset_user(api.database, api.ring, "ada", **WHY)
    assert browser.get("/console/account").status_code == 303
    (row,) = rows(api.database, "SELECT status, password_hash FROM console_users")
    assert row == {"status": "invited", "password_hash": None}
    disable_user(api.database, "ada", **WHY)
    assert browser.post(PAGE, PAGE, welcome_code=again.code).status_code == 403
    reset_user(api.database, api.ring, "ada", **WHY)
    actions = [row["action"] for row in rows(api.database, "SELECT action FROM audit_log ORDER BY seq")]
    assert actions == ["user.added", "user.reset", "user.disabled", "user.reset"]


def test_guessing_welcome_codes_ends_with_the_address(api: Api, browser: Browser, welcomed: Welcomed) -> None:
    token = browser.token_of(PAGE)
    for _ in range(31):
        browser.client.post(PAGE, data={"csrf": token, "welcome_code": "AAAA-BBBB"})
    assert browser.client.post(PAGE, data={"csrf": token, "welcome_code": welcomed.code}).status_code == 403


def test_recovery_codes_are_made_anew_for_a_code_of_the_authenticator(api: Api, browser: Browser) -> None:
    welcomed = add_user(api.database, api.ring, "ada", "viewer", **WHY)
    ada = shown(browser, welcomed.code)
    used = ada.code(api.database)
    _, page_of_codes = take_up(browser, welcomed.code, code=used)
    browser.log_in("ada", PASSWORD, recovery_codes(page_of_codes)[0])
    page = "/console/account"
    assert browser.post(f"{page}/recovery-codes", page, code="000000").status_code == 403
    assert browser.post(f"{page}/recovery-codes", page, code=used).status_code == 403
    made = browser.post(f"{page}/recovery-codes", page, code=ada.code(api.database, later=1))
    assert len(recovery_codes(made.text)) == 10
