"""The gateways of `--gateways`: sandboxes as the configuration has them, and emulators that get no real account's key."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.registry import load_adapters, load_configs
from aegis_worker.lab.local.config_files import EMULATED_ADAPTERS, copy_config
from aegis_worker.lab.local.folder import Secrets
from aegis_worker.lab.local.programs import sandboxes
from aegis_worker.settings import default_config_dir

_REAL = """
[gateways.stripe]
adapter = "stripe"
mode = "live"
base_url = "https://api.stripe.com"
api_key_env = "STRIPE_SECRET_KEY"
"""


def test_the_chosen_gateways_come_in_the_order_given_and_no_others(tmp_path: Path) -> None:
    copy_config(default_config_dir(), ["stripe", "sandbox_b"], tmp_path / "config")
    tables = tomllib.loads((tmp_path / "config" / "gateways.toml").read_text())["gateways"]
    assert list(tables) == ["stripe", "sandbox_b"]
    mine = tomllib.loads((default_config_dir() / "gateways.toml").read_text())["gateways"]
    assert tables["sandbox_b"] == {**mine["sandbox_b"], "enabled": True}


def test_an_emulator_never_gets_the_key_of_a_real_account(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "gateways.toml").write_text(_REAL)
    copy_config(given, ["stripe"], tmp_path / "config")
    text = (tmp_path / "config" / "gateways.toml").read_text()
    assert "api.stripe.com" not in text
    assert "STRIPE_SECRET_KEY" not in text
    assert tomllib.loads(text)["gateways"]["stripe"]["mode"] == "test"


def test_the_product_reads_them_and_finds_the_emulators(tmp_path: Path) -> None:
    copy_config(default_config_dir(), ["sandbox_a", "stripe", "adyen"], tmp_path / "config")
    emulators = sandboxes(tmp_path / "config", Secrets(), EMULATED_ADAPTERS)
    environ = {name: value for emulator in emulators for name, value in emulator.settings.items()}
    configs = load_configs(tmp_path / "config" / "gateways.toml", environ)
    assert [(config.name, config.adapter, config.base_url) for config in configs] == [
        (emulator.name, adapter, emulator.url)
        for emulator, adapter in zip(emulators, ("sandbox", "stripe", "adyen"), strict=True)
    ]
    assert [emulator.flags for emulator in emulators] == [
        ("--wire", "sandbox"),
        ("--wire", "stripe"),
        ("--wire", "adyen"),
    ]
    assert load_adapters(tmp_path / "config" / "gateways.toml", environ).keys() == {
        "sandbox_a",
        "stripe",
        "adyen",
    }


def test_a_name_that_nobody_knows_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there are sandbox_a, sandbox_b, stripe, adyen"):
        copy_config(default_config_dir(), ["strype"], tmp_path / "config")
