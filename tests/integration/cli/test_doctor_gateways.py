"""`aegis doctor` at the emulators of real gateways: who refuses our credentials, who is away, who can tell us nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.adyen_process import ADYEN_KEY, ADYEN_SECRET, running_adyen
from support.braintree_process import BRAINTREE_PRIVATE, running_braintree
from support.command_line import Aegis, Ran, aegis, install
from support.paypal_process import PAYPAL_SECRET, PAYPAL_WEBHOOK, running_paypal
from support.razorpay_process import RAZORPAY_SECRET, RAZORPAY_WEBHOOK, running_razorpay
from support.sandbox_process import Sandbox
from support.stripe_process import STRIPE_KEY, running_stripe

__all__ = ["aegis"]

_TABLES = """
[gateways.stripe]
adapter = "stripe"
mode = "test"
base_url_env = "STRIPE_URL"
api_key_env = "STRIPE_KEY"
webhook_secret_env = "STRIPE_SECRET"
[gateways.adyen]
adapter = "adyen"
mode = "test"
account = "ShopECOM"
base_url_env = "ADYEN_URL"
api_key_env = "ADYEN_KEY"
webhook_secret_env = "ADYEN_SECRET"
[gateways.adyen.options]
return_url = "https://shop.example/back"
[gateways.paypal]
adapter = "paypal"
mode = "test"
account = "MERCHANT2EMUL"
base_url_env = "PAYPAL_URL"
api_key_env = "PAYPAL_KEY"
webhook_secret_env = "PAYPAL_WEBHOOK"
[gateways.paypal.options]
client_id = "client_emulator"
return_url = "https://shop.example/back"
[gateways.razorpay]
adapter = "razorpay"
mode = "test"
account = "acc_Emulator000001"
base_url_env = "RAZORPAY_URL"
api_key_env = "RAZORPAY_KEY"
webhook_secret_env = "RAZORPAY_WEBHOOK"
[gateways.razorpay.options]
key_id = "rzp_test_Emulator000001"
[gateways.braintree]
adapter = "braintree"
mode = "test"
account = "merchant_emulator"
base_url_env = "BRAINTREE_URL"
api_key_env = "BRAINTREE_KEY"
webhook_secret_env = "BRAINTREE_SECRET"
[gateways.braintree.options]
public_key = "public_emulator"
merchant_accounts = {USD = "emulated_usd"}
"""
NAMES = ("stripe", "adyen", "paypal", "razorpay", "braintree")
Gateways = dict[str, Sandbox]


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    folder = tmp_path_factory.mktemp("gateways")
    starting = {
        "stripe": running_stripe,
        "adyen": running_adyen,
        "paypal": running_paypal,
        "razorpay": running_razorpay,
        "braintree": running_braintree,
    }
    with ExitStack() as running:
        yield {name: running.enter_context(start(folder)) for name, start in starting.items()}


@pytest.fixture(autouse=True)
def environ(
    gateways: Gateways, database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Sets a variable of an installation in which all gateways answer."""
    install(monkeypatch, database_url, REDIS_URL=redis_url)
    monkeypatch.setattr("aegis_worker.cli.checks_redis.workers", lambda: [])
    (tmp_path / "gateways.toml").write_text(_TABLES)
    given = {
        "AEGIS_CONFIG_DIR": str(tmp_path),
        "STRIPE_URL": gateways["stripe"].url,
        "STRIPE_KEY": STRIPE_KEY,
        "STRIPE_SECRET": "whsec_emulator",
        "ADYEN_URL": gateways["adyen"].url,
        "ADYEN_KEY": ADYEN_KEY,
        "ADYEN_SECRET": ADYEN_SECRET,
        "PAYPAL_URL": gateways["paypal"].url,
        "PAYPAL_KEY": PAYPAL_SECRET,
        "PAYPAL_WEBHOOK": PAYPAL_WEBHOOK,
        "RAZORPAY_URL": gateways["razorpay"].url,
        "RAZORPAY_KEY": RAZORPAY_SECRET,
        "RAZORPAY_WEBHOOK": RAZORPAY_WEBHOOK,
        "BRAINTREE_URL": gateways["braintree"].url,
        "BRAINTREE_KEY": BRAINTREE_PRIVATE,
        "BRAINTREE_SECRET": BRAINTREE_PRIVATE,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return monkeypatch.setenv


def of_gateways(ran: Ran) -> dict[str, dict[str, Any]]:
    checks = {check["name"]: check for check in ran.json["checks"]}
    return {name: check for name, check in checks.items() if name.split()[-1] in NAMES}


def test_gateways_that_take_our_credentials_and_whose_clocks_agree_are_fine(aegis: Aegis) -> None:
    found = of_gateways(aegis("doctor", "--json"))
    names = [f"{what} {name}" for name in NAMES for what in ("gateway", "clock,", "webhooks of")]
    assert {name: check["verdict"] for name, check in found.items()} == dict.fromkeys(names, "ok")


@pytest.mark.parametrize(
    ("variable", "key", "gateway"),
    [
        ("STRIPE_KEY", "sk_test_revoked", "stripe"),
        ("ADYEN_KEY", "AQE_revoked", "adyen"),
        ("PAYPAL_KEY", "secret_revoked", "paypal"),
        ("RAZORPAY_KEY", "secret_revoked", "razorpay"),
        ("BRAINTREE_KEY", "private_revoked", "braintree"),
    ],
)
def test_a_key_that_its_gateway_refuses_fails_and_is_not_shown(
    aegis: Aegis, environ: Callable[[str, str], None], variable: str, key: str, gateway: str
) -> None:
    environ(variable, key)
    ran = aegis("doctor", "--json")
    check = of_gateways(ran)[f"gateway {gateway}"]
    assert (ran.exit_code, check["verdict"], check["seen"]) == (
        1,
        "fail",
        "refuses our credentials (HTTP 401)",
    )
    assert "api_key_env" in check["advice"]
    assert key not in ran.out


def test_a_missing_webhook_secret_fails_where_the_gateway_can_not_be_asked(
    aegis: Aegis, environ: Callable[[str, str], None]
) -> None:
    secrets = ("STRIPE_SECRET", "ADYEN_SECRET", "PAYPAL_WEBHOOK", "RAZORPAY_WEBHOOK", "BRAINTREE_SECRET")
    for variable in secrets:
        environ(variable, "")
    ran = aegis("doctor", "--json")
    verdicts = {name: check["verdict"] for name, check in of_gateways(ran).items()}
    assert [verdicts[f"webhooks of {name}"] for name in NAMES] == ["warn", "fail", "warn", "warn", "warn"]
    assert ran.exit_code == 1


def test_a_gateway_that_is_away_is_told_from_one_that_refuses_us_or_everything(
    aegis: Aegis, environ: Callable[[str, str], None], gateways: Gateways
) -> None:
    environ("STRIPE_URL", "http://127.0.0.1:1")
    gateways["adyen"].set_faults(refuse_all=True)
    try:
        ran = aegis("doctor", "--json")
    finally:
        gateways["adyen"].set_faults()
    found = of_gateways(ran)
    assert found["gateway stripe"]["seen"].startswith("can't be reached: could not connect")
    assert found["gateway adyen"]["seen"].startswith("answered HTTP 503")
    assert [found[f"gateway {name}"]["verdict"] for name in NAMES] == ["warn", "warn", "ok", "ok", "ok"]


def test_a_live_key_in_test_mode_is_named_before_anything_is_asked(
    aegis: Aegis, environ: Callable[[str, str], None]
) -> None:
    environ("STRIPE_KEY", "sk_live_notreallyakey")
    ran = aegis("doctor", "--json")
    (check,) = [check for check in ran.json["checks"] if check["name"] == "configuration"]
    assert (ran.exit_code, check["verdict"]) == (1, "fail")
    assert 'gateways.stripe: the API key is a live one, and mode = "test"' in check["seen"]
    assert "notreallyakey" not in ran.out
