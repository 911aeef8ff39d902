"""One sandbox gateway for the contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.rewriting_proxy import RewritingProxy, rewriting_proxy
from support.sandbox_calls import adapter_for
from support.sandbox_process import Sandbox, running_sandbox

from aegis_worker.exchange.loaded import LoadedGateway


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


@pytest.fixture
def proxy(sandbox: Sandbox) -> Iterator[RewritingProxy]:
    """Before the instance, to change its answers on their way."""
    with rewriting_proxy(sandbox.url) as running:
        yield running


@pytest.fixture
def gateway(proxy: RewritingProxy) -> Iterator[LoadedGateway]:
    """An adapter whose answers come by the proxy."""
    adapter = adapter_for(proxy.url)
    yield adapter
    adapter.close()
