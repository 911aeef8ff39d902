"""`aegis gateways`, and what `aegis doctor` says of breakers and pauses."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest
from support.command_line import CONFIG_DIR, NOBODY_THERE, Aegis, RunningAegis, aegis, install
from support.gateway_traffic import Traffic, traffic

from aegis_worker.exchange.loaded import load_gateways
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.gateway_pauses import pause

__all__ = ["aegis"]


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str) -> Iterator[Traffic]:
    """An installation with Redis, and traffic through its gateways' gates."""
    install(monkeypatch, database_url, REDIS_URL=redis_url)
    with traffic(redis_url, load_gateways(CONFIG_DIR / "gateways.toml")) as calls:
        yield calls


def test_the_table_has_what_a_person_asks_first(aegis: Aegis, calls: Traffic) -> None:
    calls.approve("sandbox_a", 19, latency_ms=250.0)
    calls.fail("sandbox_a")
    calls.fail("sandbox_b", 5)
    calls.send("sandbox_a")
    ran = aegis("gateways")
    assert ran.exit_code == 0
    of = {line.split()[0]: line for line in ran.out.splitlines() if line.startswith("sandbox")}
    for shown in ("CLOSED", "0.97", "95.0 %", "0.0 %", "network_error 5.0%", "250/250/250"):
        assert shown in of["sandbox_a"]
    assert of["sandbox_a"].split()[-2:] == ["1", "–"], "one in flight, nothing to wait for"
    assert "OPEN" in of["sandbox_b"]
    assert of["sandbox_b"].split()[-1] in ("s", "min")


def test_json_is_that_of_the_api(aegis: Aegis, calls: Traffic) -> None:
    calls.approve("sandbox_b")
    told = {gateway["name"]: gateway for gateway in aegis("gateways", "--json").json["data"]}
    assert told["sandbox_b"]["health"]["recent"]["outcomes"]["approved"] == 1
    assert told["sandbox_b"]["limits"]["currencies"] == ["BHD", "EUR", "GBP", "INR", "JPY", "USD"]


def test_without_redis_it_says_what_still_works(aegis: Aegis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", NOBODY_THERE)
    ran = aegis("gateways")
    assert ran.exit_code == 3
    assert "sandbox_a" in ran.out
    assert "payments are accepted, and `aegis relay` works on them" in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.slow
def test_watching_ends_with_ctrl_c(calls: Traffic) -> None:
    calls.approve("sandbox_a")
    watching = RunningAegis("gateways", "--watch", "--interval", "0.2", "--json")
    watching.wait_for_lines(2)
    ran = watching.end(signal.SIGINT)
    assert (ran.exit_code, ran.err) == (0, "")
    looks = [json.loads(line) for line in ran.out.splitlines()]
    assert len(looks) >= 2
    assert looks[0]["data"][0]["health"]["recent"]["calls"] == 1


def test_doctor_tells_of_open_breakers_and_pauses(
    aegis: Aegis, calls: Traffic, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis_worker.cli.checks_redis.workers", lambda: [])
    calls.fail("sandbox_a", 5)

    def checks() -> dict[str, tuple[str, str]]:
        told = aegis("doctor", "--json").json["checks"]
        assert all(check["advice"] for check in told if check["verdict"] != "ok")
        return {check["name"]: (check["verdict"], check["seen"]) for check in told}

    found = checks()
    assert found["breakers of sandbox_a"][0] == "warn"
    assert "process open, tried again in" in found["breakers of sandbox_a"][1]
    assert "routing" not in found
    database.run(lambda connection: pause(connection, "sandbox_b", actor="cli:asha", reason="maintenance"))
    found = checks()
    assert found["pause of sandbox_b"] == ("warn", "maintenance")
    assert found["routing"][0] == "fail"
