"""config/gateways.toml: read whole, checked, and wrong entries named."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.registry import load_configs
from aegis_worker.settings import default_config_dir


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
        ("[gateways.a", "gateways.toml"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, text, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        configs(tmp_path, text)
