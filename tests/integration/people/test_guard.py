"""The guard before every page of the console: roles, forms, sessions, and what an attacker would try."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Blueprint
from support.api_client import Api, start_api
from support.console import Browser, signed_in
from support.payments import rows

from aegis_api.console.login.guard import ConsoleBlueprint
from aegis_worker.domain.people import Role
from aegis_worker.people import sessions, users
from aegis_worker.purge import purge

NEW_USER = {"name": "bob", "role": "viewer", "reason": "joins the night shift"}


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


def names(api: Api) -> list[str]:
    return [user.name for user in users.list_users(api.database)]


def test_every_page_of_the_console_is_guarded(api: Api) -> None:
    pages = [rule for rule in api.app.url_map.iter_rules() if rule.rule.startswith("/console")]
    assert pages
    for rule in pages:
        blueprint = api.app.blueprints[rule.endpoint.rpartition(".")[0]]
        # Styles, scripts and pictures are everybody's.
        assert isinstance(blueprint, ConsoleBlueprint) or blueprint.name == "console_files", rule
    assert not isinstance(Blueprint("plain", __name__), ConsoleBlueprint)


def test_a_stranger_is_led_to_the_login_and_a_part_of_a_page_is_told_so(api: Api) -> None:
    stranger = Browser(api.app.test_client())
    assert stranger.get("/console/people").headers["Location"].startswith("/console/login")
    part = stranger.get("/console/people", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (401, "/console/login")
    answer = stranger.client.post("/console/people", data=NEW_USER)
    assert answer.headers["Location"] == "/console/login"
    assert names(api) == []


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_whose_role_is_too_small_sees_nothing_and_changes_nothing(api: Api, role: Role) -> None:
    browser = signed_in(api, role)
    assert browser.get("/console/people").status_code == 403
    answer = browser.post("/console/people", "/console/account", **NEW_USER)
    assert answer.status_code == 403
    assert names(api) == ["ada"]


def test_an_admin_adds_somebody_and_the_log_says_who_and_why(api: Api) -> None:
    admin = signed_in(api, "admin")
    page = admin.post("/console/people", "/console/people", **NEW_USER)
    assert page.status_code == 200
    assert "is not shown again" in page.text
    entry = rows(
        api.database, "SELECT actor, details FROM audit_log WHERE action = 'user.added' ORDER BY seq"
    )[-1]
    assert entry["actor"] == "console:ada"
    assert entry["details"] == {"user": "bob", "role": "viewer", "reason": "joins the night shift"}
    assert admin.post("/console/people", "/console/people", **NEW_USER).status_code == 422
    assert (
        admin.post("/console/people/bob/role", "/console/people", role="root", reason="why not").status_code
        == 422
    )


def test_without_a_reason_nothing_is_done(api: Api) -> None:
    admin = signed_in(api, "admin")
    assert admin.post("/console/people", "/console/people", **{**NEW_USER, "reason": " "}).status_code == 422
    assert names(api) == ["ada"]


def test_a_form_that_is_not_ours_does_nothing(api: Api) -> None:
    admin, other = signed_in(api, "admin"), signed_in(api, "admin", "eve")
    good = admin.token_of("/console/people")
    of_another_session = other.token_of("/console/people")
    stranger = Browser(api.app.test_client())
    of_nobody = stranger.token_of("/console/login")
    attacks: list[dict[str, dict[str, str]]] = [
        {"data": NEW_USER},
        {"data": {**NEW_USER, "csrf": ""}},
        {"data": {**NEW_USER, "csrf": "é"}},
        {"data": {**NEW_USER, "csrf": of_another_session}},
        {"data": {**NEW_USER, "csrf": of_nobody}},
        {"data": {**NEW_USER, "csrf": good}, "headers": {"Origin": "https://evil.example"}},
        {"data": {**NEW_USER, "csrf": good}, "headers": {"Origin": "null"}},
        {"data": {**NEW_USER, "csrf": good}, "headers": {"Origin": "https://localhost"}},
        {"data": {**NEW_USER, "csrf": good}, "headers": {"Sec-Fetch-Site": "cross-site"}},
        {"data": {**NEW_USER, "csrf": good}, "headers": {"Sec-Fetch-Site": "same-site"}},
    ]
    for attack in attacks:
        answer = admin.client.post("/console/people", **attack)
        assert answer.status_code == 403, attack
    assert admin.client.post("/console/people", json={**NEW_USER, "csrf": good}).status_code == 415
    twice = f"csrf={good}&csrf={good}&name=bob&role=admin&reason=because"
    form = "application/x-www-form-urlencoded"
    assert admin.client.post("/console/people", data=twice, content_type=form).status_code == 400
    assert names(api) == ["ada", "eve"]
    sent = admin.client.post(
        "/console/people", data={**NEW_USER, "csrf": good}, headers={"Origin": "http://localhost"}
    )
    assert sent.status_code == 200


def test_a_link_changes_nothing(api: Api) -> None:
    admin = signed_in(api, "admin")
    token = admin.token_of("/console/people")
    before = rows(api.database, "SELECT count(*) FROM audit_log")
    for rule in api.app.url_map.iter_rules():
        methods = rule.methods or set()
        if rule.rule.startswith("/console") and "POST" in methods and "GET" not in methods:
            path = re.sub("<[^>]*>", "ada", rule.rule)
            answer = admin.get(f"{path}?csrf={token}&name=bob&role=admin&reason=because")
            assert answer.status_code in (200, 404, 405), path
    assert (names(api), rows(api.database, "SELECT count(*) FROM audit_log")) == (["ada"], before)
    assert admin.get("/console/account").status_code == 200


def test_a_page_is_kept_nowhere_framed_by_nobody_and_runs_no_script_of_others(api: Api) -> None:
    admin = signed_in(api, "admin")
    for path in ("/console/login", "/console/account", "/console/people", "/console/people/x/role"):
        headers = admin.get(path).headers
        if path.endswith("role"):
            continue
        assert headers["Cache-Control"] == "no-store"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_what_others_wrote_stays_text(api: Api) -> None:
    admin = signed_in(api, "admin")
    api.database.run(
        lambda tx: tx.exec_driver_sql(
            "UPDATE console_sessions SET agent = '<script>alert(1)</script>' || agent"
        )
    )
    for path in ("/console/people", "/console/account"):
        page = admin.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page
    stranger = Browser(api.app.test_client())
    page = stranger.get('/console/login?next="><script>alert(1)</script>').text
    assert "<script>" not in page


def test_a_role_that_is_taken_is_gone_at_once_and_so_is_who_is_disabled(api: Api) -> None:
    admin, eve = signed_in(api, "admin"), signed_in(api, "admin", "eve")
    assert eve.get("/console/people").status_code == 200
    reason = {"reason": "left the company"}
    admin.post("/console/people/eve/role", "/console/people", role="viewer", **reason)
    assert eve.get("/console/people").status_code == 403
    admin.post("/console/people/eve/disable", "/console/people", **reason)
    assert eve.get("/console/account").status_code == 303
    assert sessions.list_sessions(api.database, 1800, "eve") == []


def test_the_last_admin_stays_one(api: Api) -> None:
    admin = signed_in(api, "admin")
    for change in ("role", "disable", "reset"):
        fields = {"role": "viewer", "reason": "for a quiet life"}
        assert admin.post(f"/console/people/ada/{change}", "/console/people", **fields).status_code == 422
    assert admin.get("/console/people").status_code == 200


def test_a_session_ends_when_nobody_clicks_and_a_page_that_asks_by_itself_keeps_nobody_in(api: Api) -> None:
    browser = signed_in(api)
    idle_s = api.settings.console_idle_s

    def last_click(seconds_ago: float) -> None:
        api.database.run(
            lambda tx: tx.exec_driver_sql(
                f"UPDATE console_sessions SET seen_at = clock_timestamp() - interval '{seconds_ago} s'"
            )
        )

    last_click(idle_s - 100)
    assert browser.get("/console/account", headers={"HX-Request": "true"}).status_code == 200
    seen = rows(
        api.database, "SELECT clock_timestamp() - seen_at > interval '60 s' AS long_ago FROM console_sessions"
    )
    assert seen[0]["long_ago"]
    assert browser.get("/console/account").status_code == 200
    seen = rows(
        api.database, "SELECT clock_timestamp() - seen_at > interval '60 s' AS long_ago FROM console_sessions"
    )
    assert not seen[0]["long_ago"]
    last_click(idle_s + 1)
    assert browser.get("/console/account").status_code == 303


def test_a_session_ends_in_any_case_and_never_gets_longer(api: Api) -> None:
    browser = signed_in(api)
    api.database.run(lambda tx: tx.exec_driver_sql("UPDATE console_sessions SET ends_at = clock_timestamp()"))
    assert browser.get("/console/account").status_code == 303
    with pytest.raises(Exception, match="none gets longer"):
        api.database.run(
            lambda tx: tx.exec_driver_sql("UPDATE console_sessions SET ends_at = ends_at + interval '1 h'")
        )


def test_a_session_is_forgotten_a_month_after_its_end(api: Api, break_in: Callable[..., None]) -> None:
    signed_in(api)
    assert purge(api.database, api.settings)["console_sessions"] == 0
    break_in("UPDATE console_sessions SET ends_at = clock_timestamp() - interval '31 days'")
    assert purge(api.database, api.settings)["console_sessions"] == 1


def test_sessions_are_listed_and_ended_and_only_ones_own(api: Api) -> None:
    ada, eve = signed_in(api), signed_in(api, "viewer", "eve")
    (of_eve,) = sessions.list_sessions(api.database, 1800, "eve")
    ada.post(f"/console/account/sessions/{of_eve.id}/end", "/console/account")
    assert eve.get("/console/account").status_code == 200
    (of_ada,) = sessions.list_sessions(api.database, 1800, "ada")
    assert "this one" in ada.get("/console/account").text
    ada.post(f"/console/account/sessions/{of_ada.id}/end", "/console/account")
    assert ada.get("/console/account").status_code == 303


def test_logging_out_ends_the_session_for_whoever_holds_its_cookie(api: Api) -> None:
    browser = signed_in(api)
    cookie = browser.client.get_cookie("aegis-session")
    assert cookie is not None
    assert browser.get("/console/logout").status_code in (404, 405)
    assert browser.get("/console/account").status_code == 200
    assert browser.post("/console/logout", "/console/account").status_code == 303
    assert browser.client.get_cookie("aegis-session") is None
    thief = Browser(api.app.test_client())
    thief.client.set_cookie("aegis-session", cookie.value)
    assert thief.get("/console/account").status_code == 303


def test_the_console_is_not_there_by_another_name_of_the_host_nor_in_production_without_its_address(
    database_url: str,
) -> None:
    api = start_api(database_url)
    client = api.app.test_client()
    assert client.get("/console/login", base_url="http://pay.example.com").status_code == 404
    assert client.get("/console/login", base_url="http://localhost:8000").status_code == 200
    api = start_api(database_url, environment="production")
    assert api.app.test_client().get("/console/login").status_code == 404
    console = replace(api.settings.console, url="https://pay.example.com")
    api = start_api(database_url, environment="production", console=console)
    assert api.app.test_client().get("/console/login", base_url="http://10.0.0.1").status_code == 200


def test_a_card_number_in_a_form_is_refused_and_not_shown(api: Api) -> None:
    admin = signed_in(api, "admin")
    number = "4111111111111111"
    answer = admin.post("/console/people", "/console/people", **{**NEW_USER, "reason": f"card {number}"})
    assert answer.status_code == 422
    assert number not in answer.text
