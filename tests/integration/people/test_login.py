"""Logging in to the console: who gets in, who does not, and what nobody learns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from support.api_client import Api, start_api
from support.console import PASSWORD, Browser, a_user, recovery_code_of, signed_in
from support.payments import rows
from support.statement_counts import statements_of

from aegis_worker.console_settings import ConsoleSettings
from aegis_worker.people.login import LoginParts, Shown, log_in
from aegis_worker.people.users import add_user
from aegis_worker.persistence import login_tries
from aegis_worker.settings import Settings


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api.app.test_client())


def over_https(settings: Settings) -> ConsoleSettings:
    return replace(settings.console, url="https://pay.example.com")


def audited(api: Api, action: str) -> list[Any]:
    return rows(api.database, f"SELECT actor, details FROM audit_log WHERE action = '{action}' ORDER BY seq")


def test_name_password_and_code_together_open_the_door(api: Api, browser: Browser) -> None:
    ada = a_user(api)
    assert browser.get("/console/account").headers["Location"] == "/console/login?next=%2Fconsole%2Faccount"
    answer = browser.log_in("ada", PASSWORD, ada.code(api.database), next="/console/account")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/account")
    assert "ada" in browser.get("/console/account").text
    (entry,) = audited(api, "session.logged_in")
    assert (entry["actor"], entry["details"]["by"]) == ("console:ada", "authenticator")


@pytest.mark.parametrize(
    ("name", "password", "is_code_right"),
    [
        ("ada", PASSWORD, False),
        ("ada", "five horses under the bridges", True),
        ("bob", PASSWORD, True),
        ("", "", True),
        ("'; DROP TABLE console_users; --", PASSWORD, True),
    ],
)
def test_whatever_is_wrong_is_refused_in_the_same_words(
    api: Api, browser: Browser, name: str, password: str, is_code_right: bool
) -> None:
    ada = a_user(api)
    code = ada.code(api.database) if is_code_right else "12345x"
    answer = browser.log_in(name, password, code)
    assert answer.status_code == 403
    assert "don&#39;t go together" in answer.text
    assert "aegis-session" not in answer.headers.get("Set-Cookie", "")
    assert rows(api.database, "SELECT id FROM console_sessions") == []


def test_who_may_not_log_in_costs_as_many_statements_whether_or_not_there_is_such_a_user(
    api: Api, browser: Browser
) -> None:
    a_user(api)
    add_user(api.database, api.ring, "invited", "viewer", actor="test", reason="for a test")
    asked = []
    for name in ("ada", "nobody", "invited"):
        token = browser.token_of("/console/login")
        with statements_of(api.database) as statements:
            browser.client.post(
                "/console/login", data={"csrf": token, "name": name, "password": "wrong", "code": "000000"}
            )
        asked.append(list(statements))
    assert asked[0] == asked[1] == asked[2] != []


def test_a_code_is_taken_once_and_one_of_an_hour_ago_never(api: Api, browser: Browser) -> None:
    ada = a_user(api)
    code = ada.code(api.database)
    assert browser.log_in("ada", PASSWORD, code).status_code == 303
    assert Browser(api.app.test_client()).log_in("ada", PASSWORD, code).status_code == 403
    assert browser.log_in("ada", PASSWORD, ada.code(api.database, later=-120)).status_code == 403
    # One of the period before the one that was taken is older than it.
    assert browser.log_in("ada", PASSWORD, ada.code(api.database, later=-1)).status_code == 403
    assert browser.log_in("ada", PASSWORD, ada.code(api.database, later=1)).status_code == 303


def test_a_recovery_code_is_good_once_in_place_of_the_authenticators(api: Api, browser: Browser) -> None:
    a_user(api)
    code = recovery_code_of(api, "ada")
    assert browser.log_in("ada", "wrong password", code).status_code == 403
    assert browser.log_in("ada", PASSWORD, code.lower().replace("-", " ")).status_code == 303
    assert browser.log_in("ada", PASSWORD, code).status_code == 403
    assert audited(api, "session.logged_in")[0]["details"]["by"] == "recovery code"


def test_after_five_wrong_tries_the_right_one_is_refused_too_and_elsewhere_it_is_not(
    api: Api, browser: Browser
) -> None:
    ada = a_user(api)
    for _ in range(login_tries.LIMITS["pair"]):
        assert browser.log_in("ada", "wrong password", "000000").status_code == 403
    assert browser.log_in("ada", PASSWORD, ada.code(api.database)).status_code == 403
    elsewhere = Browser(api.app.test_client())
    elsewhere.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert elsewhere.log_in("ada", PASSWORD, ada.code(api.database)).status_code == 303


def test_a_header_that_nobody_vouches_for_makes_no_new_address(api: Api, browser: Browser) -> None:
    ada = a_user(api)
    token = browser.token_of("/console/login")
    for number in range(login_tries.LIMITS["pair"]):
        wrong = {"csrf": token, "name": "ada", "password": "wrong", "code": "000000"}
        browser.client.post("/console/login", data=wrong, headers={"X-Forwarded-For": f"192.0.2.{number}"})
    assert browser.log_in("ada", PASSWORD, ada.code(api.database)).status_code == 403


def test_an_address_that_tries_too_often_is_refused_and_uses_up_no_names_tries(api: Api) -> None:
    def count(address: str) -> bool:
        return api.database.run(
            lambda tx: login_tries.count(tx, login_tries.places("s" * 40, f"name-{address}", "192.0.2.1"))
        )

    may = [count(str(number)) for number in range(login_tries.LIMITS["address"] + 5)]
    assert may == [True] * login_tries.LIMITS["address"] + [False] * 5
    names = rows(api.database, "SELECT sum(tries) AS tries FROM login_tries WHERE kind = 'name'")
    assert names[0]["tries"] == login_tries.LIMITS["address"]


def test_the_tries_of_a_login_that_succeeds_are_forgiven(api: Api, browser: Browser) -> None:
    ada = a_user(api)
    browser.log_in("ada", "wrong password", "000000")
    assert browser.log_in("ada", PASSWORD, ada.code(api.database)).status_code == 303
    left = {row["kind"]: row["tries"] for row in rows(api.database, "SELECT kind, tries FROM login_tries")}
    assert left == {"address": 1, "name": 1, "pair": 0}


def test_a_session_is_new_with_each_login_and_the_one_before_is_over(api: Api, browser: Browser) -> None:
    ada = a_user(api)
    browser.client.set_cookie("aegis-session", "f" * 43)  # what somebody else planted
    browser.log_in("ada", PASSWORD, ada.code(api.database))
    first = browser.client.get_cookie("aegis-session")
    browser.log_in("ada", PASSWORD, ada.code(api.database, later=1))
    second = browser.client.get_cookie("aegis-session")
    assert first is not None
    assert second is not None
    assert len({"f" * 43, first.value, second.value}) == 3
    stolen = Browser(api.app.test_client())
    stolen.client.set_cookie("aegis-session", first.value)
    assert stolen.get("/console/account").status_code == 303


def test_over_https_cookies_are_for_this_host_and_https_alone(database_url: str) -> None:
    api = start_api(database_url)
    api = start_api(database_url, console=over_https(api.settings))
    ada, browser = a_user(api), Browser(api.app.test_client())
    browser.client.environ_base["wsgi.url_scheme"] = "https"
    https = {"base_url": "https://pay.example.com"}
    page = browser.client.get("/console/login", **https)
    token = page.text.split('name="csrf" value="')[1][:64]
    form = {"csrf": token, "name": "ada", "password": PASSWORD, "code": ada.code(api.database)}
    answer = browser.client.post("/console/login", data=form, **https)
    assert answer.status_code == 303, answer.text
    given = next(one for one in answer.headers.getlist("Set-Cookie") if "aegis-session" in one)
    name, *attributes = given.split("; ")
    assert name.startswith("__Host-aegis-session=")
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]


def test_what_is_kept_of_a_session_and_of_codes_opens_nothing(api: Api) -> None:
    browser = signed_in(api)
    recovery = recovery_code_of(api, "ada")
    cookie = browser.client.get_cookie("aegis-session")
    assert cookie is not None
    kept = str(
        [
            rows(api.database, f"SELECT t::text FROM {table} t")
            for table in ("console_sessions", "console_users", "console_recovery_codes", "audit_log")
        ]
    )
    for secret in (cookie.value, recovery, recovery.replace("-", ""), PASSWORD):
        assert secret not in kept
        assert secret.encode().hex() not in kept


def test_after_logging_in_nobody_is_led_elsewhere(api: Api, browser: Browser) -> None:
    ada = a_user(api)
    answer = browser.log_in("ada", PASSWORD, ada.code(api.database), next="https://evil.example/console/")
    assert answer.headers["Location"] == "/console/"


def test_of_several_who_show_one_code_at_once_one_gets_in(api: Api) -> None:
    ada = a_user(api)
    shown = Shown("ada", PASSWORD, ada.code(api.database), "192.0.2.1", "a test")
    door = LoginParts(api.database, api.ring, api.settings.secret, 3600.0)
    with ThreadPoolExecutor(3) as pool:
        tokens = list(pool.map(lambda _: log_in(door, shown), range(3)))
    assert sum(token is not None for token in tokens) == 1
    assert len(rows(api.database, "SELECT id FROM console_sessions")) == 1


def test_a_login_that_another_site_sends_is_refused(api: Api, browser: Browser) -> None:
    ada = a_user(api)
    token = browser.token_of("/console/login")
    right = {"csrf": token, "name": "ada", "password": PASSWORD, "code": ada.code(api.database)}
    without_our_cookie = api.app.test_client()
    assert without_our_cookie.post("/console/login", data=right).status_code == 403
    foreign = {"Origin": "https://evil.example"}
    assert browser.client.post("/console/login", data=right, headers=foreign).status_code == 403
    assert rows(api.database, "SELECT id FROM console_sessions") == []
