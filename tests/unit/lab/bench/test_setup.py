"""The gateways of a bench, as the product reads their tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_worker.gateways.gateways_file import load_adapters
from aegis_worker.lab.bench.setup import BESIDE_SLOW, GATEWAYS, Setup
from aegis_worker.lab.local.config_files import write_config
from aegis_worker.lab.local.emulated import adapters_to_emulate, emulated
from aegis_worker.lab.local.folder import Secrets
from aegis_worker.lab.local.programs import sandboxes
from aegis_worker.settings import default_config_dir


@pytest.mark.parametrize("gateway", [*GATEWAYS, BESIDE_SLOW])
def test_the_product_reads_each_choice_of_gateways(gateway: str, tmp_path: Path) -> None:
    tables = {
        name: {**table, **emulated(table["adapter"]).beside_ledger(tmp_path / name)}
        for name, table in Setup(2, gateway, 50).tables(default_config_dir()).items()
    }
    write_config(default_config_dir(), tables, tmp_path / "config")
    emulators = sandboxes(tmp_path / "config", Secrets(), adapters_to_emulate(tables.values()))
    environ = {name: value for emulator in emulators for name, value in emulator.settings.items()}
    adapters = load_adapters(tmp_path / "config" / "gateways.toml", environ)
    assert list(adapters) == (["null", "slow"] if gateway == BESIDE_SLOW else [gateway])
    assert len(emulators) == (0 if "null" in gateway else 1)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_gateway_over_http_takes_its_time_from_the_card(gateway: str) -> None:
    setup = Setup(2, gateway, 50)
    token = setup.order()["payment_method"].get("token")
    if emulated(gateway).checkout:
        assert (token, setup.token) == (None, "tok_latency_50"), "its payer says by what they pay"
    else:
        assert token == ("tok_visa" if gateway == "null" else "tok_latency_50")
