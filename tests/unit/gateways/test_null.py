"""The null gateway: approves everything, keeps nothing, is refused where money is real."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from support.gateway_calls import sent

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, NotFound, Operation
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.errors import ConfigurationError, InvalidWebhook
from aegis_worker.exchange.loaded import load_gateways
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.kit.probing import Standing
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.settings import load_settings
from aegis_worker.wiring.worker import build_worker

ENTRY = '[gateways.null]\nadapter = "null"\n'
REQUEST = GatewayRequest(
    Operation.PROCESS, "pay_1", "pay_1-p1", PaymentTerms(Money(1999, "USD"), {"type": "card"})
)


def gateway(tmp_path: Path, options: str = "") -> PaymentGateway:
    path = tmp_path / "gateways.toml"
    path.write_text(ENTRY + (f"[gateways.null.options]\n{options}\n" if options else ""))
    return load_gateways(path, {})["null"]


def test_it_needs_no_address_and_approves(tmp_path: Path) -> None:
    null = gateway(tmp_path)
    assert null.capabilities.steps == (Operation.PROCESS,)
    assert sent(null, REQUEST) == Approved("null_pay_1", captured=True)
    assert null.probe().standing is Standing.TAKEN


def test_it_answers_at_once_on_the_calling_thread(tmp_path: Path) -> None:
    told: list[int] = []
    gateway(tmp_path).send(REQUEST, lambda outcome: told.append(threading.get_ident()))
    assert told == [threading.get_ident()]


def test_it_answers_after_its_latency(tmp_path: Path) -> None:
    began = time.monotonic()
    assert isinstance(sent(gateway(tmp_path, "latency_ms = 50"), REQUEST), Approved)
    assert time.monotonic() - began >= 0.05


def test_it_remembers_nothing(tmp_path: Path) -> None:
    null = gateway(tmp_path)
    sent(null, REQUEST)
    query = StatusQuery(Operation.PROCESS, "pay_1-p1", "null_pay_1")
    assert null.ask_and_wait(query) == null.ask_and_wait(query) == NotFound()
    with pytest.raises(InvalidWebhook):
        null.parse_webhook({}, b"{}")


@pytest.mark.parametrize("options", ["latency_ms = -1", "latency_ms = '50'", "latency_ms = 60001"])
def test_a_latency_that_is_none_is_refused(tmp_path: Path, options: str) -> None:
    with pytest.raises(ConfigurationError, match=r"gateways\.null\.options\.latency_ms"):
        gateway(tmp_path, options)


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_production_refuses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    (tmp_path / "gateways.toml").write_text(ENTRY)
    for name, value in {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "AEGIS_SECRET": "s" * 32,
        "AEGIS_CONFIG_DIR": str(tmp_path),
        "AEGIS_ENV": environment,
    }.items():
        monkeypatch.setenv(name, value)
    if environment == "production":
        with pytest.raises(ConfigurationError, match="production refuses null"):
            build_worker(load_settings())
    else:
        assert list(build_worker(load_settings()).gateways) == ["null"]
