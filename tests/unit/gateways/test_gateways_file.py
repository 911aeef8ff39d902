"""config/gateways.toml: read whole, checked, and wrong entries named."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.tls import certificate

from aegis_worker.domain.breakers import BreakerLimits
from aegis_worker.domain.modes import MODES
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.retries import NotSentKind, RetryLimits
from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.config import AmountLimits, GatewayConfig
from aegis_worker.gateways.gateways_file import load_adapters, load_configs
from aegis_worker.gateways.kit.identity import Declared
from aegis_worker.gateways.registry import ADAPTERS, IN_PROCESS
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.settings import default_config_dir

A_REAL_ONE = "[gateways.stripe]\nadapter = 'stripe'\nbase_url = 'http://x'\nmode = 'test'\n"
A_SANDBOX = "[gateways.a]\nadapter = 'sandbox'\nbase_url = 'http://x'\n"


def configs(tmp_path: Path, text: str, environ=None):
    path = tmp_path / "gateways.toml"
    path.write_text(text)
    return load_configs(path, environ or {})


def test_the_shipped_file_loads_and_takes_addresses_and_secrets_from_the_environment():
    environ = {"AEGIS_SANDBOX_A_URL": "http://127.0.0.1:1234", "AEGIS_SANDBOX_A_KEY": "sk_secret"}
    first, second = load_configs(default_config_dir() / "gateways.toml", environ)
    assert (first.name, first.base_url, first.api_key) == ("sandbox_a", "http://127.0.0.1:1234", "sk_secret")
    assert (second.name, second.base_url) == ("sandbox_b", "http://127.0.0.1:9102")
    assert "sk_secret" not in repr(first)


def test_a_sandbox_is_for_test_payments_and_names_no_account_unless_told(tmp_path):
    plain, named = configs(
        tmp_path, f"{A_SANDBOX}[gateways.b]\nadapter = 'null'\nmode = 'test'\naccount = 'shop EU'"
    )
    assert (plain.mode, plain.account) == ("test", None)
    assert (named.mode, named.account) == ("test", "shop EU")


def test_while_a_webhook_secret_is_exchanged_its_variable_holds_both(tmp_path):
    text = f"{A_SANDBOX}webhook_secret_env = 'HOOKS'"
    for given, secrets in (("new, old", ("new", "old")), ("only", ("only",)), ("", ())):
        (config,) = configs(tmp_path, text, {"HOOKS": given})
        assert config.webhook_secrets == secrets
        assert "only" not in repr(config)
    for wrong in ("new,", ",", "a,b,c,d,hidden"):
        with pytest.raises(ConfigurationError, match="webhook_secret must be 1 to 4 secrets") as raised:
            configs(tmp_path, text, {"HOOKS": wrong})
        assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("mode", MODES)
def test_a_gateway_where_money_moves_says_its_mode(tmp_path, monkeypatch, mode):
    monkeypatch.setitem(ADAPTERS, "real", SandboxAdapter)
    table = "[gateways.a]\nadapter = 'real'\nbase_url = 'http://x'\n"
    (config,) = configs(tmp_path, f"{table}mode = '{mode}'")
    assert config.mode == mode
    with pytest.raises(
        ConfigurationError, match=r"gateways.a.mode: must be .live., for real money, or .test."
    ):
        configs(tmp_path, table)


def test_a_method_that_the_adapter_does_not_take_can_not_be_set(tmp_path):
    path = tmp_path / "gateways.toml"
    path.write_text(
        "[gateways.a]\nadapter = 'stripe'\nmode = 'test'\nbase_url = 'http://x'\nmethods = ['card', 'upi']\n"
    )
    with pytest.raises(ConfigurationError, match=r"gateways\.a\.methods: the adapter takes no upi$"):
        load_adapters(path, {})


def test_an_account_may_have_a_table_in_each_mode(tmp_path, monkeypatch):
    monkeypatch.setitem(ADAPTERS, "real", SandboxAdapter)
    table = "[gateways.{}]\nadapter = 'real'\nbase_url = 'http://x'\naccount = 'acct_1'\nmode = '{}'\n"
    found = configs(tmp_path, "".join(table.format(f"at_{mode}", mode) for mode in MODES))
    assert [config.name for config in found] == ["at_live", "at_test"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no \\[gateways.NAME\\] table"),
        ("[gateways.a]\nadapter = 'nope'", "gateways.a.adapter"),
        ("[gateways.a]\nadapter = 'sandbox'", "base_url"),
        (
            "[gateways.a]\nadapter = 'sandbox'\nbase_url = 'http://x'\ntimout_s = 3",
            "unknown setting timout_s",
        ),
        ("[gateways.a]\nadapter = 'sandbox'\nbase_url = 'http://x'\ntimeout_s = 600", "timeout_s in"),
        ("[gateways.a]\nadapter = 'sandbox'\nbase_url = 'http://x'\ncurrencies = ['XXQ']", "XXQ"),
        (f"{A_SANDBOX}countries = ['GB', 'UK']", "gateways.a.countries: not ISO 3166-1: UK"),
        ("[gateways.a]\nadapter = 'sandbox'\nbase_url = 'http://x'\nmethods = ['cash']", "cash"),
        (f"{A_SANDBOX}fee_basis_points = 2.9", "gateways.a.fee_basis_points: must be a whole number"),
        (f"{A_SANDBOX}amounts = 100", "gateways.a.amounts: must be a table of currencies"),
        (f"{A_SANDBOX}amounts.XXQ.min_minor = 1", "gateways.a.amounts: not ISO 4217: XXQ"),
        (f"{A_SANDBOX}amounts.USD = 100", "gateways.a.amounts.USD: must be a table"),
        (f"{A_SANDBOX}amounts.USD.least = 1", "gateways.a.amounts.USD: must be a table"),
        (f"{A_SANDBOX}amounts.USD.min_minor = 1.5", "gateways.a.amounts.USD: must be whole minor units"),
        (f"{A_SANDBOX}amounts.USD.max_minor = 0", "gateways.a.amounts.USD: must be whole minor units"),
        (f"{A_SANDBOX}amounts.USD = {{min_minor = 9, max_minor = 8}}", "amounts.USD: min_minor is above"),
        (f"{A_SANDBOX}mode = 'live'", 'gateways.a.mode: must be "test", or left out: no money moves at'),
        (f"{A_SANDBOX}mode = 'prod'", 'gateways.a.mode: must be "test", or left out'),
        (f"{A_SANDBOX}mode = true", "gateways.a.mode: must be a string"),
        ("[gateways.a]\nadapter = 'null'\nmode = 'live'", 'gateways.a.mode: must be "test", or left out'),
        (f"{A_SANDBOX}account = ''", "gateways.a.account: must be 1 to 255 printable characters"),
        (f"{A_SANDBOX}account = ' shop'", "gateways.a.account: .* without spaces around them"),
        (f"{A_SANDBOX}account = 7", "gateways.a.account: must be a string"),
        (
            f"{A_SANDBOX}account = 'shop'\n{A_SANDBOX.replace('.a]', '.b]')}account = 'shop'",
            "gateways.b.account: gateways.a is 'shop' already; an account has one table",
        ),
        (f"{A_SANDBOX}calls_per_s = 0.5", "gateways.a.calls_per_s: must be a whole number from 1"),
        (f"{A_SANDBOX}max_concurrent = 0", "gateways.a.max_concurrent: must be a whole number from 1"),
        (f"{A_SANDBOX}max_connections = '9'", "gateways.a.max_connections: must be a whole number"),
        (f"{A_SANDBOX}latency_target_ms = 0.5", "gateways.a.latency_target_ms: must be a whole number"),
        (f"{A_SANDBOX}breaker = 5", "gateways.a.breaker: must be a table"),
        (f"{A_SANDBOX}breaker.opens_s = 5", "gateways.a.breaker: unknown setting opens_s"),
        (f"{A_SANDBOX}breaker.failure_rate = 1.5", "gateways.a.breaker.failure_rate: must be a number from"),
        (f"{A_SANDBOX}breaker.probes = true", "gateways.a.breaker.probes: must be a whole number from 1"),
        (f"{A_SANDBOX}breaker.max_open_s = 30", "gateways.a.breaker: max_open_s .30. is below open_s .60."),
        (f"{A_SANDBOX}breaker.probe_s = 9", "gateways.a.breaker.probe_s: must not be shorter than .* .10 s."),
        (f"{A_SANDBOX}retry = []", "gateways.a.retry: must be a table"),
        (f"{A_SANDBOX}retry.attempts = 3", "gateways.a.retry: unknown setting attempts"),
        (f"{A_SANDBOX}retry.max_attempts = 0", "gateways.a.retry.max_attempts: must be a whole number"),
        (f"{A_SANDBOX}retry.retry_on = ['DECLINE']", "gateways.a.retry.retry_on: must be a list out of"),
        (f"{A_SANDBOX}retry.decline_attempts.no_money = 1", "decline_attempts: no decline code no_money"),
        (f"{A_SANDBOX}retry.decline_attempts.lost_card = 2", "ends the first time anyway with lost_card"),
        (f"{A_SANDBOX}retry.decline_attempts.do_not_honor = 0", "decline_attempts.do_not_honor: must be"),
        (f"{A_SANDBOX}certificate = 7", "gateways.a.certificate: must be a string"),
        (
            f"{A_SANDBOX}certificate = 'nowhere.pem'",
            "gateways.a: certificate and certificate_key must be readable",
        ),
        (
            f"{A_SANDBOX}certificate_key = 'our.key'",
            "gateways.a: certificate_key is set, and certificate is not",
        ),
        (f"{A_SANDBOX}ca_bundle = 'nowhere.pem'", "gateways.a.ca_bundle must be a readable file of PEM"),
        (
            f"{A_SANDBOX}proxy = 'http://user:secret@host:3128'",
            "gateways.a.proxy: a password is never written",
        ),
        (f"{A_SANDBOX}proxy = 'ftp://host:21'", "gateways.a: the proxy must be such as http://host:3128"),
        (f"{A_SANDBOX}proxy = 'http://host'", "gateways.a: the proxy must be such as"),
        (f"{A_SANDBOX}proxy = 'host:3128'", "gateways.a: the proxy must be such as"),
        (f"{A_SANDBOX}proxy = 'http://host:3128/way'", "gateways.a: the proxy must be such as"),
        (f"{A_SANDBOX}proxy = 'http://[host:3128'", "gateways.a: the proxy must be such as"),
        ("[gateways.a", "gateways.toml"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, text, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        configs(tmp_path, text)


def test_a_proxys_password_comes_from_the_environment_and_is_not_shown(tmp_path):
    text = f"{A_SANDBOX}proxy = 'http://host:3128'\nproxy_env = 'A_PROXY'"
    (config,) = configs(tmp_path, text, {"A_PROXY": "socks5h://user:secret@[::1]:1080"})
    assert config.proxy == "socks5h://user:secret@[::1]:1080"
    assert "secret" not in repr(config)
    assert configs(tmp_path, text)[0].proxy == "http://host:3128"


def test_what_is_wrong_with_a_proxy_of_the_environment_is_said_without_its_password(tmp_path):
    with pytest.raises(ConfigurationError, match="must be such as") as raised:
        configs(tmp_path, f"{A_SANDBOX}proxy_env = 'A_PROXY'", {"A_PROXY": "http://user:secret@host"})
    assert "secret" not in str(raised.value)


def test_files_are_looked_for_from_the_folder_of_gateways_toml(tmp_path):
    ours = certificate(tmp_path, "merchant.test")
    text = f"{A_SANDBOX}certificate = '{ours.file.name}'\ncertificate_key = '{ours.key}'\nca_bundle = '{ours.file.name}'"
    (config,) = configs(tmp_path, text)
    assert (config.certificate, config.certificate_key, config.ca_bundle) == (ours.file, ours.key, ours.file)


def test_a_key_that_does_not_belong_to_the_certificate_or_has_a_passphrase_is_named(tmp_path):
    ours, theirs = certificate(tmp_path, "merchant.test"), certificate(tmp_path, "somebody.test")
    text = f"{A_SANDBOX}certificate = '{ours.file}'\ncertificate_key = "
    with pytest.raises(ConfigurationError, match="belong together"):
        configs(tmp_path, f"{text}'{theirs.key}'")
    locked = tmp_path / "locked.key"
    command = [
        "openssl",
        "pkey",
        "-in",
        str(ours.key),
        "-aes256",
        "-passout",
        "pass:open",
        "-out",
        str(locked),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(ConfigurationError, match="without a passphrase"):
        configs(tmp_path, f"{text}'{locked}'")


def test_the_amounts_that_a_gateway_takes_are_set_by_currency(tmp_path):
    (config,) = configs(
        tmp_path,
        f"{A_SANDBOX}amounts.USD = {{min_minor = 100, max_minor = 50000}}\namounts.JPY.min_minor = 50",
    )
    assert config.amounts == {"USD": AmountLimits(100, 50_000), "JPY": AmountLimits(50, None)}


def test_breaker_and_retries_are_set_for_each_gateway(tmp_path):
    (config,) = configs(
        tmp_path,
        f"""{A_SANDBOX}max_concurrent = 40
        calls_per_s = 25
        [gateways.a.breaker]
        open_s = 5
        failure_rate = 0.25
        [gateways.a.retry]
        max_attempts = 2
        retry_on = ["RATE_LIMIT"]
        decline_attempts.do_not_honor = 1""",
    )
    assert (config.max_concurrent, config.calls_per_s) == (40, 25)
    assert config.breaker == BreakerLimits(open_s=5, failure_rate=0.25)
    assert config.retry == RetryLimits(
        max_attempts=2, retry_on=frozenset({NotSentKind.RATE_LIMIT}), decline_attempts={"do_not_honor": 1}
    )


def test_what_is_left_out_is_what_the_file_says_of_the_defaults(tmp_path):
    (config,) = configs(tmp_path, A_SANDBOX)
    assert (config.breaker, config.retry) == (BreakerLimits(), RetryLimits())
    text = (default_config_dir() / "gateways.toml").read_text()
    for limits in (config.breaker, config.retry):
        for field in fields(limits):
            assert re.search(rf"(?m)^#.*\b{field.name}\b", text), f"{field.name} is not explained"


# The options that an adapter can't do without.
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "adyen": {"return_url": "https://shop.test"},
    "braintree": {"public_key": "p", "merchant_accounts": {"USD": "a"}},
    "paypal": {"return_url": "https://shop.test", "client_id": "c"},
    "razorpay": {"key_id": "rzp_test_1"},
}


def test_every_adapter_with_an_address_declares_by_what_its_answers_are_known() -> None:
    """A forgotten declaration would believe every answer for its place (design D18)."""
    for name, adapter in ADAPTERS.items():
        given: Any = {"name": "g", "adapter": name, "base_url": "http://127.0.0.1:1"}
        given["options"] = NEEDED.get(name, {})
        config = GatewayConfig(**given, api_key="k", account="acc_1")
        identity = adapter(config).capabilities.identity
        is_in_process = name in IN_PROCESS
        for declared in (identity.answers, identity.look_ups):
            assert is_in_process or set(declared) == set(Operation)
        assert is_in_process == (identity == Declared())


@pytest.mark.parametrize("name", ["stripe", "adyen", "braintree", "razorpay"])
def test_a_table_that_stands_ready_in_the_file_is_a_good_one(tmp_path: Path, name: str) -> None:
    text = (default_config_dir() / "gateways.toml").read_text()
    table = text[text.index(f"# [gateways.{name}]") :].partition("\n\n")[0]
    path = tmp_path / "gateways.toml"
    path.write_text("\n".join(line.removeprefix("#").strip() for line in table.splitlines()))
    key, secret = f"AEGIS_{name.upper()}_KEY", f"AEGIS_{name.upper()}_WEBHOOK_SECRET"
    (config,) = load_configs(path, {key: "rk_live_1", secret: "0a, 0b"})
    assert (config.adapter, config.mode, config.webhook_secrets) == (name, "live", ("0a", "0b"))
    assert load_adapters(path, {key: "rk_live_1"})[name].capabilities.steps


def test_an_account_is_sent_card_numbers_only_where_its_table_says_so(tmp_path):
    stripe = f"{A_REAL_ONE}raw_cards = true"
    (told,) = configs(tmp_path, stripe)
    (untold,) = configs(tmp_path, A_REAL_ONE)
    assert (told.raw_cards, untold.raw_cards) == (True, False)
    with pytest.raises(ConfigurationError, match=r"raw_cards: must be true or false"):
        configs(tmp_path, f"{A_REAL_ONE}raw_cards = 'yes'")
    (tmp_path / "gateways.toml").write_text(f"{A_SANDBOX}raw_cards = true")
    with pytest.raises(
        ConfigurationError, match=r"gateways.a.raw_cards: the adapter sandbox sends no card numbers"
    ):
        load_adapters(tmp_path / "gateways.toml", {})


def test_no_gateway_is_called_as_the_vault_is(tmp_path):
    with pytest.raises(ConfigurationError, match="vault is the card vault's own name"):
        configs(tmp_path, A_SANDBOX.replace("gateways.a", "gateways.vault"))
