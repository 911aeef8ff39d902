"""Wrong usage ends with exit code 2 before anything is reached: there is neither an API nor a database here."""

from __future__ import annotations

import pytest
from support.command_line import Aegis, aegis, install

__all__ = ["aegis"]

A_DOLLAR = ("--amount", "100", "--currency", "USD")


@pytest.fixture(autouse=True)
def nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        monkeypatch,
        "postgresql://nobody@127.0.0.1:1/none",
        AEGIS_API_URL="http://127.0.0.1:1",
        AEGIS_API_KEY="k",
    )


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--amount", "1"),
        A_DOLLAR,
        (*A_DOLLAR, "--method", "upi", "--token", "tok_ok"),
        (*A_DOLLAR, "--token", "tok_ok", "--vpa", "a@b"),
        (*A_DOLLAR, "--provider", "paytm"),
        (*A_DOLLAR, "--method", "card"),
        (*A_DOLLAR, "--token", "tok_ok", "--network", "maestro"),
        (*A_DOLLAR, "--vpa", "a@b", "--gateway", "stripe"),
        (*A_DOLLAR, "--vpa", "asha@okbank", "--network", "rupay"),
        (*A_DOLLAR, "--token", "tok_ok", "--idempotency-key", "ключ"),
        (*A_DOLLAR, "--token", "tok_ok", "--idempotency-key", ""),
        ("--amount", "19.99", "--currency", "USD", "--token", "tok_ok"),
        ("--amount", "0", "--currency", "USD", "--token", "tok_ok"),
        ("--file", "does-not-exist.jsonl"),
        ("--file", __file__, "--amount", "1"),
        ("--file", __file__, "--concurrency", "0"),
        ("--file", __file__, "--wait", "-1"),
    ],
)
def test_pay(aegis: Aegis, options: tuple[str, ...]) -> None:
    assert aegis("pay", *options).exit_code == 2


@pytest.mark.parametrize("merchant", ["", "-x", "a b", "x" * 65, "shop\x1b[2J"])
def test_a_merchant_id_has_a_form(aegis: Aegis, merchant: str) -> None:
    assert aegis("keys", "create", "--merchant", merchant).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("status",),
        ("keys", "create"),
        ("keys", "create", "--merchant", "shop", "--label", "x" * 101),
        ("reconcile", "--since", "tomorrow"),
        ("relay", "--interval", "0"),
        ("outbox", "deliveries", "--status", "lost"),
        ("outbox", "deliveries", "--limit", "1001"),
        (
            "outbox",
            "endpoints",
            "add",
            "https://shop.example",
            "--merchant",
            "shop",
            "--event",
            "payment.lost",
        ),
        ("migrate", "--down", "base"),
        ("bench", "nonsense"),
        ("bench", "drain", "--rounds", "0"),
        ("bench", "drain", "--json", "no/such/folder/out.json"),
        ("bench", "drain", "--against", "no-such-file.json"),
        ("bench", "e2e", "--rate", "0"),
        ("bench", "intake", "--concurrency", "501"),
    ],
)
def test_other_commands(aegis: Aegis, arguments: tuple[str, ...]) -> None:
    assert aegis(*arguments).exit_code == 2


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://127.0.0.1", "http://"])
def test_an_address_that_is_no_url_is_one_line(aegis: Aegis, url: str) -> None:
    ran = aegis("pay", *A_DOLLAR, "--token", "tok_ok", "--url", url)
    assert ran.exit_code == 3
    assert "is not an http or https URL" in ran.err


@pytest.mark.parametrize("key", ["", "ключ", "a\nb"])
def test_an_api_key_that_no_header_can_carry_is_one_line(aegis: Aegis, key: str) -> None:
    ran = aegis("pay", *A_DOLLAR, "--token", "tok_ok", "--key", key)
    assert ran.exit_code == 3
    assert "`aegis keys create` makes one" in ran.err
