"""What contract tests share: a sandbox gateway, an engine of the test's own, a certificate."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.merchant_server import Sink
from support.rewriting_proxy import RewritingProxy, rewriting_proxy
from support.sandbox_calls import adapter_for
from support.sandbox_process import Sandbox, running_sandbox
from support.telling import Telling
from support.tls import Certificate, certificate

from aegis_worker.exchange.engine import Engine
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
def emulator(shared_emulator: Telling) -> Iterator[Sandbox]:
    """The emulator that the module's tests share, healed afterwards."""
    yield shared_emulator.emulator
    shared_emulator.emulator.set_faults()


@pytest.fixture
def shop(shared_emulator: Telling) -> Sink:
    """Where its webhooks arrive."""
    return shared_emulator.sink


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
    adapter.close_connections()


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine of the test's own."""
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1."""
    return certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")
