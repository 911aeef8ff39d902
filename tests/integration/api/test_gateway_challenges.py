"""A gateway tries the address of its webhooks out with a GET: over the wire, at the server that an installation runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.processes import TOY_GATEWAYS_WEB
from support.running_api import running_api

PATH = "/v1/gateways/sandbox_a/webhooks"


@pytest.mark.slow  # a web server of its own
def test_a_challenge_is_answered_as_its_gateway_wants_and_nobody_elses(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with running_api(database_url, redis_url, tmp_path, TOY_GATEWAYS_WEB) as api:

        def get(target: str) -> tuple[int, str, str]:
            answer = api.send(f"GET {target} HTTP/1.1\r\nHost: shop.example\r\n\r\n".encode())
            return answer.status, answer.headers["Content-Type"].partition(";")[0], answer.body.decode()

        # As a form writes it: a blank is a plus, and a plus and an umlaut are escaped.
        challenge = get(f"{PATH}?challenge=a+b%2Bc%C3%A4&other=1")
        assert challenge == (200, "text/plain", "sandbox_a|a b+cä")
        status, kind, body = get(PATH)
        assert (status, kind, json.loads(body)["code"]) == (
            401,
            "application/problem+json",
            "invalid_webhook",
        )
        assert get("/v1/gateways/nobody/webhooks?challenge=abc")[0] == 404
        assert "a+b" not in api.log.read_text()
