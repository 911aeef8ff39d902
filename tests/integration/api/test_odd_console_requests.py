"""What nobody types into the console by hand: its pages refuse it in their own form, and none of them fails."""

from __future__ import annotations

import re

import pytest
from support.api_client import Api, start_api
from support.console import signed_in
from support.reviews import doubtful, in_review
from support.scripted_gateway import ScriptedGateway

NUL = "a%00b"
QUERIES = ("after", "before", "q", "actor", "payment_id", "gateway", "as_of", "from", "reference", "next")
WHY = "looked at in their dashboard today"
FOUND = {"resolution": "charged", "where": "dashboard", "evidence": "INC-884", "reason": WHY}


@pytest.fixture
def gateway() -> ScriptedGateway:
    return doubtful()


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway) -> Api:
    return start_api(database_url, gateway)


def paths(api: Api, method: str) -> list[str]:
    """All paths of the console under which something is done with this method."""
    return [
        re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule)
        for rule in api.app.url_map.iter_rules()
        if rule.rule.startswith("/console/") and method in (rule.methods or ())
    ]


def test_an_address_with_a_nul_is_of_no_page(api: Api) -> None:
    admin = signed_in(api, "admin")
    token = admin.token_of("/console/account")
    query = "&".join(f"{name}={NUL}" for name in QUERIES)
    for path in paths(api, "GET"):
        if not path.startswith("/console/files/"):
            assert admin.get(f"{re.sub('<[^>]*>', 'x', path)}?{query}").status_code == 404, path
        if "<" in path:
            assert admin.get(re.sub("<[^>]*>", NUL, path)).status_code == 404, path
    for path in paths(api, "POST"):
        if "<" in path:
            assert admin.client.post(re.sub("<[^>]*>", NUL, path), data={"csrf": token}).status_code == 404, (
                path
            )


def test_a_form_with_a_nul_is_none_of_ours(api: Api) -> None:
    admin = signed_in(api, "admin")
    form = {"name": "a\0b", "role": "viewer", "reason": WHY}
    assert admin.post("/console/people", "/console/people", **form).status_code == 400


def test_what_is_no_amount_is_refused_in_place(api: Api, gateway: ScriptedGateway) -> None:
    payment_id, operator = in_review(api.database, gateway), signed_in(api)
    review, order = f"/console/reviews/{payment_id}", f"/console/payments/{payment_id}/refund"
    token = operator.token_of(review)
    for amount in ("1e999999", "sNaN"):
        form = {"csrf": token, "amount": amount, **FOUND}
        decided = operator.client.post(review, data=form)
        assert (decided.status_code, "Type the amount to confirm: 19.99." in decided.text) == (422, True)
        ordered = operator.client.post(order, data=form)
        assert (ordered.status_code, "Type the amount, such as 12.50." in ordered.text) == (422, True)
        shown = operator.get("/console/payments", query_string={"amount_from": amount})
        assert (shown.status_code, "is no amount" in shown.text) == (200, True)


def test_what_is_no_id_of_a_gateway_is_refused_in_place(api: Api, gateway: ScriptedGateway) -> None:
    payment_id, operator = in_review(api.database, gateway), signed_in(api)
    page = f"/console/reviews/{payment_id}"
    for reference in ("ch\x1b7", "c" * 256):
        decided = operator.post(page, page, amount="19.99", gateway_ref=reference, **FOUND)
        assert (decided.status_code, "an id has at most" in decided.text) == (422, True), decided.text
