"""Lists of the console: as files, saved under a name, and the figures that stand in them."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from typing import Any

import pytest
from support.api_client import CHARGED, Api, start_api
from support.console import PASSWORD, Browser, a_user, signed_in
from support.payments import rows
from support.reviews import screened_as

from aegis_worker.domain.screening import Action
from aegis_worker.ids import RECONCILIATION, new_id
from aegis_worker.projections.keep import rebuild


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


def table(browser: Browser, path: str) -> list[dict[str, str]]:
    """The rows of a CSV file, by the names in its first line."""
    answer = browser.get(f"/console{path}")
    assert (answer.status_code, answer.content_type.partition(";")[0]) == (200, "text/csv"), answer.text
    assert "attachment" in answer.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_list_of_payments_is_downloaded_as_it_is_filtered(api: Api) -> None:
    shop, viewer = api.merchant(), signed_in(api, "viewer")
    shop.accepted(amount=500, reference="order-1")
    shop.accepted(amount=1_250, reference="=SUM(A1:A9)", customer={"id": "-1+1"})
    (row,) = table(viewer, "/payments.csv?amount_from=10")
    assert (row["amount"], row["currency"], row["state"]) == ("12.50", "USD", "INITIATED")
    assert (row["reference"], row["customer_id"]) == ("'=SUM(A1:A9)", "'-1+1"), "no formula of a payer's runs"
    assert [row["reference"] for row in table(viewer, "/payments.csv?reference=order-1")] == ["order-1"]
    page = viewer.get("/console/payments?amount_from=10").text
    assert 'href="/console/payments.csv?amount_from=10"' in page
    assert "Nothing to download." in viewer.get("/console/payments.csv?amount_from=much").text


def test_a_list_says_how_many_are_newer_and_stays_as_it_is(api: Api) -> None:
    shop, viewer = api.merchant(), signed_in(api, "viewer")
    seen = shop.accepted(customer={"id": "me"})["id"]
    page = viewer.get("/console/payments?customer_id=me").text
    (asks,) = re.findall('hx-get="(/console/payments/newer[^"]*)"', page)
    assert asks.endswith(f"customer_id=me&amp;since={seen}")
    none = viewer.get(unescape(asks))
    assert (none.status_code, "<a " in none.text) == (200, False)
    shop.accepted(customer={"id": "me"})
    shop.accepted(customer={"id": "you"})
    assert '<a href="/console/payments?customer_id=me">1 new</a>' in viewer.get(unescape(asks)).text
    assert "2 new" in viewer.get(f"/console/payments/newer?since={seen}").text
    assert "newer" not in viewer.get(f"/console/payments?after={seen}").text, (
        "older ones have none above them"
    )


@pytest.mark.parametrize("since", ["", "pay_1", "pay_" + "f" * 32, "pay_" + "0" * 32, "job_" + "0" * 32])
def test_a_cursor_that_is_none_of_ours_is_no_error(api: Api, since: str) -> None:
    viewer = signed_in(api, "viewer")
    assert viewer.get(f"/console/payments/newer?since={since}").status_code in (200, 404)
    assert viewer.get(f"/console/payments?after={since}").status_code == 200


def test_the_audit_log_is_downloaded_with_its_hashes(api: Api) -> None:
    api.merchant()
    viewer = signed_in(api, "viewer")
    made, *others = table(viewer, "/audit-log.csv?action=api_key.created")
    assert (made["actor"], len(made["hash"]), others) == ("aegis", 64, [])
    assert len(table(viewer, "/audit-log.csv?")) > 1


def test_a_view_is_saved_for_oneself_and_forgotten(api: Api) -> None:
    viewer, other = signed_in(api, "viewer", "vic"), signed_in(api, "operator", "bob")
    here = "/console/payments?state=FAILURE&within=24h"
    filters = {"state": "FAILURE", "within": "24h"}
    saved = viewer.post("/console/views", here, do="save", name="Declines <b>today</b>", **filters)
    assert saved.headers["Location"] == f"{here}&done=saved"
    link = '<a href="/console/payments?state=FAILURE&amp;within=24h"'
    name = "Declines &lt;b&gt;today&lt;/b&gt;"
    assert f"{link}>{name}</a>" in viewer.get("/console/payments").text
    assert f"Forget the view “{name}”" in viewer.get(here).text
    assert name not in other.get("/console/payments").text
    viewer.post("/console/views", here, do="forget", name="Declines <b>today</b>")
    assert name not in viewer.get("/console/payments").text


def test_a_view_needs_a_name_and_filters_and_there_are_not_many(api: Api) -> None:
    viewer = signed_in(api, "viewer")
    here = "/console/payments?state=FAILURE"
    too_long = {"name": "x", "reference": "r" * 3000}
    for fields in (
        {"name": "all"},
        {"name": "", "state": "FAILURE"},
        {"name": "x", "state": "LOST"},
        too_long,
    ):
        assert viewer.post("/console/views", here, do="save", **fields).status_code == 422, fields
    token = viewer.token_of(here)
    for number in range(21):
        view = {"csrf": token, "do": "save", "name": f"view {number}", "state": "FAILURE"}
        answer = viewer.client.post("/console/views", data=view)
        assert answer.status_code == (303 if number < 20 else 422), number
    assert "You have 20 views." in answer.text


def test_a_key_tells_when_it_was_used(api: Api) -> None:
    shop, viewer = api.merchant(), signed_in(api, "viewer")
    assert "not yet" in viewer.get("/console/keys").text
    shop.accepted()
    used = rows(api.database, "SELECT last_used_at FROM api_keys")
    shop.accepted()
    assert used[0]["last_used_at"] is not None
    assert rows(api.database, "SELECT last_used_at FROM api_keys") == used, "it is noted every five minutes"
    assert "not yet" not in viewer.get("/console/keys").text


def test_rules_show_what_they_found_lately_and_are_switched_off_by_a_draft(api: Api) -> None:
    operator = signed_in(api)
    draft = '[[rules]]\nid = "dear"\naction = "review"\nconditions = [{field = "amount", operator = "gt", value = 5}]'
    operator.post("/console/rules", "/console/rules", do="apply", draft=draft, reason="many chargebacks")
    screened_as(api.database, Action.REVIEW)
    renamed = "UPDATE payments SET screening = jsonb_set(screening, '{findings,0,source}', '\"rule dear\"')"
    api.database.run(lambda tx: tx.exec_driver_sql(renamed))
    page = operator.get("/console/rules").text
    assert "the 1 payments of a day" in page
    assert '<td class="num">1</td>' in page
    off = operator.get("/console/rules?switch=dear").text
    assert "&#34;enabled&#34;: false" in off
    assert "<ins>+" in off


def test_settlement_sums_what_gateways_took_and_gave_back(api: Api) -> None:
    shop, viewer = api.merchant(), signed_in(api, "viewer")
    shop.accepted()
    api.settle(*CHARGED)
    rebuild(api.database, goes_on=False)
    assert "Nothing was captured" not in viewer.get("/console/settlement").text
    (row,) = table(viewer, "/settlement.csv?days=7")
    told = [row[name] for name in ("gateway", "currency", "payments", "captured", "refunded", "net")]
    assert told == ["sandbox_a", "USD", "1", "19.99", "0.00", "19.99"]


def test_analytics_show_what_payments_came_to_by_group_and_step(api: Api) -> None:
    shop, other, viewer = api.merchant(), api.merchant("mer_other"), signed_in(api, "viewer")
    assert "No payments in this time." in viewer.get("/console/analytics").text
    shop.accepted()
    api.settle(*CHARGED)
    shop.accepted(amount=1, currency="JPY")
    other.accepted(amount=700)
    rebuild(api.database, goes_on=False)
    page = viewer.get("/console/analytics?over=24h&group=merchant").text
    assert "1 payments charged, 0 not charged, 2 open;" in page
    assert page.count("mer_other</th>") == 1, "in all"
    assert "No payment of this time matches." in viewer.get("/console/analytics?merchant_id=<b>mer").text
    found = table(viewer, "/analytics.csv?over=7d&by=hour&group=gateway&currency=usd")
    told = [[row[name] for name in ("gateway", "currency", "charged", "amount", "captured")] for row in found]
    assert sorted(told) == [["", "USD", "0", "7.00", "0.00"], ["sandbox_a", "USD", "1", "19.99", "19.99"]]
    (row,) = table(viewer, "/analytics.csv?merchant_id=mer_other&group=arm")
    assert (row["experiment"], row["arm"], row["payments"]) == ("", "", "1")


@pytest.mark.parametrize(
    "query",
    ["over=9y&by=minute&group=id", "currency=%E2%82%AC", "gateway=%27%3B--", "merchant_id=" + "m" * 4000],
)
def test_what_analytics_do_not_know_is_no_error(api: Api, query: str) -> None:
    viewer = signed_in(api, "viewer")
    for path in ("/analytics", "/analytics.csv"):
        assert viewer.get(f"/console{path}?{query}").status_code == 200, path


A_RUN = """
INSERT INTO reconciliation_runs (id, trigger, dry_run, since, found, fixed, mismatches, started_at, finished_at)
VALUES (%(id)s, 'operator', true, now(), '{"mismatches": 700}', '{}', %(mismatches)s::jsonb, now(), now())
"""


def test_what_differed_in_a_reconciliation_is_downloaded_answer_by_answer(api: Api) -> None:
    viewer, run_id = signed_in(api, "viewer"), new_id(RECONCILIATION)
    wrong = {"gateway": "a", "key": "k1", "says": "Approved", "expected": "10.00 USD", "found": "=1+1"}
    right = {"gateway": "b", "key": "k2", "says": "Absent"}
    kept = json.dumps([{"payment_id": "pay_1", "state": "SUCCESS", "gateways": [wrong, right]}])
    api.database.run(lambda tx: tx.exec_driver_sql(A_RUN, {"id": run_id, "mismatches": kept}))
    path = f"/reconciliation/{run_id}.csv"
    assert f'href="/console{path}"' in viewer.get("/console/reconciliation").text
    first, second = table(viewer, path)
    assert (first["we_say"], first["gateway"], first["found"]) == ("SUCCESS", "a", "'=1+1")
    assert (second["payment_id"], second["answer"], second["found"]) == ("pay_1", "Absent", "")
    name = viewer.get(f"/console{path}").headers["Content-Disposition"]
    assert f"reconciliation-{run_id}-first-1.csv" in name, "a run keeps no more, and its file says so"
    for other in (new_id(RECONCILIATION), "rec_1", "../payments"):
        assert viewer.get(f"/console/reconciliation/{other}.csv").status_code == 404, other


def change(browser: Browser, **fields: str) -> Any:
    words = {"password": PASSWORD, "new_password": "four cows over the moon"}
    words["new_password_again"] = words["new_password"]
    return browser.post("/console/account/password", "/console/account", **(words | fields))


def test_a_password_is_changed_with_the_old_one_and_a_code_and_ends_other_sessions(api: Api) -> None:
    ada = a_user(api)
    here, elsewhere = Browser(api.app.test_client()), Browser(api.app.test_client())
    assert elsewhere.log_in("ada", PASSWORD, ada.code(api.database, later=-1)).status_code == 303
    assert here.log_in("ada", PASSWORD, ada.code(api.database)).status_code == 303
    code = ada.code(api.database, later=1)
    for fields in (
        {"password": "five horses", "code": code},
        {"code": "000000"},
        {"code": code, "new_password_again": "four cows over the sun"},
        {"code": code, "new_password": PASSWORD, "new_password_again": PASSWORD},
    ):
        assert change(here, **fields).status_code in (403, 422), fields
    assert change(here, code=code).headers["Location"] == "/console/account?done=password"
    assert "Your password is changed" in here.get("/console/account?done=password").text
    assert elsewhere.get("/console/account").status_code == 303
    (entry,) = rows(api.database, "SELECT * FROM audit_log WHERE action = 'user.password_changed'")
    assert (entry["actor"], len(entry["details"]["session_ids"])) == ("console:ada", 1)
    assert "moon" not in str(entry)


def test_a_page_that_breaks_is_a_page_with_the_requests_id(api: Api) -> None:
    viewer = signed_in(api, "viewer")
    payment_id = api.merchant().accepted()["id"]
    api.database.run(lambda tx: tx.exec_driver_sql("UPDATE payments SET screening = '{}'"))
    answer = viewer.get(f"/console/payments/{payment_id}")
    assert (answer.status_code, answer.content_type) == (500, "text/html; charset=utf-8")
    assert answer.headers["Request-Id"] in answer.text
    assert "That went wrong" in answer.text
    assert "KeyError" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
