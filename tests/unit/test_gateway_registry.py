"""config/gateways.toml: read whole, checked, and wrong entries named."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.base import AmountLimits
from aegis_worker.gateways.registry import load_configs
from aegis_worker.settings import default_config_dir

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
        ("[gateways.a]\nadapter = 'sandbox'\nbase_url = 'http://x'\nmethods = ['cash']", "cash"),
        (f"{A_SANDBOX}fee_basis_points = 2.9", "gateways.a.fee_basis_points: must be a whole number"),
        (f"{A_SANDBOX}amounts = 100", "gateways.a.amounts: must be a table of currencies"),
        (f"{A_SANDBOX}amounts.XXQ.min_minor = 1", "gateways.a.amounts: not ISO 4217: XXQ"),
        (f"{A_SANDBOX}amounts.USD = 100", "gateways.a.amounts.USD: must be a table"),
        (f"{A_SANDBOX}amounts.USD.least = 1", "gateways.a.amounts.USD: must be a table"),
        (f"{A_SANDBOX}amounts.USD.min_minor = 1.5", "gateways.a.amounts.USD: must be whole minor units"),
        (f"{A_SANDBOX}amounts.USD.max_minor = 0", "gateways.a.amounts.USD: must be whole minor units"),
        (f"{A_SANDBOX}amounts.USD = {{min_minor = 9, max_minor = 8}}", "amounts.USD: min_minor is above"),
        ("[gateways.a", "gateways.toml"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, text, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        configs(tmp_path, text)


def test_the_amounts_that_a_gateway_takes_are_set_by_currency(tmp_path):
    (config,) = configs(
        tmp_path,
        f"{A_SANDBOX}amounts.USD = {{min_minor = 100, max_minor = 50000}}\namounts.JPY.min_minor = 50",
    )
    assert config.amounts == {"USD": AmountLimits(100, 50_000), "JPY": AmountLimits(50, None)}
