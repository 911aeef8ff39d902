"""One installation for all tests that need a whole one, with short timeouts, on stores that a test may take away.

It is a plugin of tests/conftest.py, shared by tests/e2e and tests/faults. A test that takes something away restores it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_worker.lab.embedded.postgres import EmbeddedPostgres
from aegis_worker.lab.embedded.stack import temporary_data_dir
from aegis_worker.lab.embedded.valkey import EmbeddedValkey
from support.checkout import CHECKOUT
from support.installation import LEASE_S, Installation
from support.spare_postgres import spare
from support.waiting_for_disks import wait_for_disk


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A temporary folder for data."""
    with temporary_data_dir() as path:
        yield path


@pytest.fixture(scope="session")
def environ(folder: Path) -> dict[str, str]:
    """An environment with short timeouts, leases and waits before a doubt is looked into."""
    config_dir = folder / "config"
    shutil.copytree(CHECKOUT / "config", config_dir)
    gateways = config_dir / "gateways.toml"
    shorter = re.sub(r"(?m)^connect_timeout_s = .*$", "connect_timeout_s = 1", gateways.read_text())
    shorter = re.sub(r"(?m)^timeout_s = .*$", "timeout_s = 2", shorter)
    # Most tests here are about one payment at a failing gateway, so breakers must not open for the next one.
    patient = "consecutive_failures = 1000\nfailure_min_calls = 1000\n"
    gateways.write_text(re.sub(r"(?m)^(\[gateways\.\w+\.breaker\]\n)", rf"\1{patient}", shorter))
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
    for name in ("DATABASE_URL", "REDIS_URL"):
        ours.pop(name, None)
    return ours | {
        "AEGIS_CONFIG_DIR": str(config_dir),
        "AEGIS_LEASE_S": f"{LEASE_S:g}",  # longer than the slowest call: 1 s + 2 s
        "AEGIS_VERIFY_LADDER_S": "1,1,2,3,5,10,10,10",
        "AEGIS_WEB_WORKERS": "2",
        "AEGIS_TWO_PERSON_ABOVE": "*:500000",  # above what other tests order as operators
    }


@pytest.fixture(scope="session")
def valkey(folder: Path) -> Iterator[EmbeddedValkey]:
    """The installation's Redis, which tests may stop and start."""
    server = EmbeddedValkey(folder / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    """The installation's PostgreSQL. Tests that stop it take `postgres_to_stop`."""
    server = EmbeddedPostgres(folder / "postgresql")
    server.start()
    wait_for_disk(server, False)
    spare(server)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def running(
    folder: Path, environ: dict[str, str], valkey: EmbeddedValkey, postgres: EmbeddedPostgres
) -> Iterator[Installation]:
    """A running installation that the tests share."""
    stores = {"REDIS_URL": valkey.url, "DATABASE_URL": postgres.url}
    installation = Installation(folder / "shared", environ | stores)
    yield installation
    installation.stop()


@pytest.fixture
def postgres_to_stop(running: Installation, postgres: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """The installation's PostgreSQL, which the test may stop and start.

    It runs again before the next test, and no process of the API has a connection left that was cut.
    """
    yield postgres
    postgres.start()
    running.wait_for_the_api()
