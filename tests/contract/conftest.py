"""One sandbox gateway for the contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_process import Sandbox, running_sandbox


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The session's instance, `sandbox_a`. Tests that set faults take `sandbox`."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The session's instance, healed afterwards."""
    yield shared_sandbox
    shared_sandbox.set_faults()
