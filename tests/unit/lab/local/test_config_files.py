"""The gateways of `--gateways`: sandboxes as the configuration has them, and emulators that get no real account's key."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aegis_worker.emulator.wire_formats import WIRE_FORMATS
from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.gateways_file import load_adapters, load_configs
from aegis_worker.gateways.registry import ADAPTERS as KNOWN_ADAPTERS
from aegis_worker.gateways.registry import IN_PROCESS
from aegis_worker.lab.local.config_files import emulated_tables, write_config
from aegis_worker.lab.local.emulated import EMULATED
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


def chosen(names: Sequence[str], folder: Path, given: Path | None = None) -> dict[str, dict[str, Any]]:
    """The tables that are written into `folder`."""
    given = given or default_config_dir()
    write_config(given, emulated_tables(names, given), folder)
    tables: dict[str, dict[str, Any]] = tomllib.loads((folder / "gateways.toml").read_text())["gateways"]
    return tables


def test_the_chosen_gateways_come_in_the_order_given_and_no_others(tmp_path: Path) -> None:
    tables = chosen(["stripe", "sandbox_b"], tmp_path / "config")
    assert list(tables) == ["stripe", "sandbox_b"]
    mine = tomllib.loads((default_config_dir() / "gateways.toml").read_text())["gateways"]
    assert tables["sandbox_b"] == {**mine["sandbox_b"], "enabled": True}


def test_without_names_there_are_all_sandboxes_as_they_stand_in_the_file(tmp_path: Path) -> None:
    mine = tomllib.loads((default_config_dir() / "gateways.toml").read_text())["gateways"]
    assert chosen([], tmp_path / "config") == mine


def test_without_a_sandbox_there_is_nothing_to_use_where_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "gateways.toml").write_text(_REAL)
    with pytest.raises(ConfigurationError, match="`sandbox`"):
        emulated_tables([], tmp_path)


def test_an_emulator_never_gets_the_key_of_a_real_account(tmp_path: Path) -> None:
    (tmp_path / "gateways.toml").write_text(_REAL)
    table = chosen(["stripe"], tmp_path / "config", tmp_path)["stripe"]
    assert table["mode"] == "test"
    text = (tmp_path / "config" / "gateways.toml").read_text()
    assert "api.stripe.com" not in text
    assert "STRIPE_SECRET_KEY" not in text


def test_the_product_reads_each_of_them_and_finds_its_emulator(tmp_path: Path) -> None:
    names = ["sandbox_a", *EMULATED]
    chosen(names, tmp_path / "config")
    emulators = sandboxes(tmp_path / "config", Secrets(), {"sandbox", *EMULATED})
    environ = {name: value for emulator in emulators for name, value in emulator.settings.items()}
    configs = load_configs(tmp_path / "config" / "gateways.toml", environ)
    assert [(config.name, config.adapter, config.base_url) for config in configs] == [
        (emulator.name, adapter, emulator.url)
        for emulator, adapter in zip(emulators, ("sandbox", *EMULATED), strict=True)
    ]
    assert [emulator.flags for emulator in emulators] == [
        ("--wire", adapter) for adapter in ("sandbox", *EMULATED)
    ]
    assert list(load_adapters(tmp_path / "config" / "gateways.toml", environ)) == names


def test_every_gateway_of_the_product_has_an_emulator_that_speaks_as_it_does() -> None:
    assert set(KNOWN_ADAPTERS) - IN_PROCESS == {"sandbox", *EMULATED} == set(WIRE_FORMATS)


def test_a_name_that_nobody_knows_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match=f"there are sandbox_a, sandbox_b, {', '.join(EMULATED)}"):
        emulated_tables(["strype"], default_config_dir())
