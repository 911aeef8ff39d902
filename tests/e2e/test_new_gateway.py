"""A gateway of another package: written by `aegis new-gateway`, installed with pip, and through the conformance suite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_AEGIS = Path(sys.executable).with_name("aegis")


@pytest.mark.slow
def test_a_toy_gateway_is_installed_with_pip_and_reaches_a_green_suite(tmp_path: Path) -> None:
    site, package = tmp_path / "site", tmp_path / "aegispay-toy"
    subprocess.run([_AEGIS, "new-gateway", "toy", "--into", tmp_path], check=True)
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *offline, package], check=True)
    env = {**os.environ, "PYTHONPATH": str(site)}
    ran = _run([sys.executable, "-m", "pytest", "-q", "tests"], package, env)
    assert ran.returncode == 0, ran.stdout
    summary = ran.stdout.splitlines()[-1]
    assert "passed" in summary
    assert "failed" not in summary
    assert "FAILED" not in ran.stdout
    (package / "gateways.toml").write_text(_with_address((package / "gateways.toml").read_text()))
    script = "import sys; from aegis_worker.exchange.loaded import load_gateways; from pathlib import Path\n"
    script += "print(load_gateways(Path('gateways.toml'))['toy'].probe().standing)"
    assert _run([sys.executable, "-c", script], package, env).stdout == "silent\n"


def _with_address(table: str) -> str:
    return table.replace("https://api.toy.example", "http://127.0.0.1:1")


def _run(argv: list[str], folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=folder, env=env, check=False, text=True, stdout=subprocess.PIPE)
