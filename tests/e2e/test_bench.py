"""`aegis bench`, with few payments: every mode measures what it says and finds nothing wrong. No speed is expected."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.installation import AEGIS, START_S, STOP_S, alive, wait_until

from aegis_worker.lab.bench.crowds import CROWDS
from aegis_worker.lab.local.emulated import EMULATED

pytestmark = pytest.mark.slow

MODES = {
    "intake": (
        ("--payments", "20", "--concurrency", "1", "--concurrency", "4", "--batch", "8"),
        {"1 at once", "4 at once", "1 at once, batches of 8", "4 at once, batches of 8"},
    ),
    "drain": (("--payments", "50", "--existing", "300"), {"backlog", "backlog, 300 there"}),
    "e2e": (
        ("--payments", "20", "--concurrency", "4", "--batch", "8"),
        {"4 at once", "4 at once, batches of 8"},
    ),
    "outbox": (("--payments", "20"), {"Redis Stream", "webhooks"}),
    "reads": (("--payments", "20", "--seconds", "0.5", "--rate", "10"), {"payment", "job", "list"}),
}


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """As it is usually: no short leases and time-outs for a bench."""
    return {name: value for name, value in environ.items() if not name.startswith("AEGIS_")}


def measured(environ: dict[str, str], tmp_path: Path, *arguments: str) -> dict[str, Any]:
    file = tmp_path / "out.json"
    argv = [AEGIS, "bench", *arguments, "--rounds", "1", "--json", str(file)]
    ran = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=2 * START_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"aegis bench {arguments[0]}" in ran.stdout
    result: dict[str, Any] = json.loads(file.read_text())
    return result


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_measures_without_errors(mode: str, environ: dict[str, str], tmp_path: Path) -> None:
    arguments, cases = MODES[mode]
    result = measured(environ, tmp_path, mode, *arguments)
    assert (result["mode"], result["errors"], len(result["rounds"])) == (mode, [], 1)
    assert result["cases"].keys() == cases
    assert result["machine"]["loop_ms"]["median"] > 0
    assert result["throughput_per_s"].keys() == {"median", "min", "max"}
    unit = result["unit"]
    for figures in result["cases"].values():
        assert figures["throughput_per_s"]["median"] > 0
        assert figures[f"round_trips_per_{unit}"]["median"] > 0
        assert figures[f"wal_bytes_per_{unit}"]["median"] > 0
        assert {"web", "PostgreSQL", "Redis"} <= figures["cpu_ms_by_part"].keys()
        assert ("worker" in figures["cpu_ms_by_part"]) == (mode != "intake")
        assert figures["memory_mb"]["web"]["median"] > 0
    if mode in ("intake", "e2e"):
        compared = {"batches": "ratio_to_single", "once": "ratio_to_floor"}
        for case, figures in result["cases"].items():
            name = compared["batches" if "batches" in case else "once"]
            assert figures[name]["throughput"]["median"] > 0
    if mode == "drain":
        ratios = result["cases"]["backlog, 300 there"]["ratio_to_empty"]
        assert ratios["throughput"]["median"] > 0
        assert ratios["CPU"]["median"] > 0
    if mode not in ("drain", "outbox"):
        assert result["latency_ms"].keys() == {"p50", "p95", "p99"}


def test_pings_beside_every_crowd_of_slow_clients_are_answered(
    environ: dict[str, str], tmp_path: Path
) -> None:
    result = measured(environ, tmp_path, "slow-clients", "--payments", "5")
    assert result["errors"] == []
    assert result["cases"].keys() == {"alone", *CROWDS}
    for figures in result["cases"].values():
        assert figures["latency_ms"]["longest"]["median"] > 0
        assert figures["memory_mb"]["web"]["median"] > 0


def test_calls_are_measured_over_plain_http_tls_and_http_2(environ: dict[str, str], tmp_path: Path) -> None:
    cases = ("--in-flight", "1", "--in-flight", "20", "--gateway-ms", "0", "--gateway-ms", "50")
    over = ("--over", "http", "--over", "https", "--over", "http2")
    result = measured(environ, tmp_path, "calls", "--payments", "60", *cases, *over)
    assert result["errors"] == []
    assert result["cases"].keys() == {
        f"{most} in flight{protocol}{wait}"
        for most in (1, 20)
        for protocol in ("", ", TLS", ", HTTP/2")
        for wait in ("", ", 50 ms")
    }
    for name, figures in result["cases"].items():
        assert figures["cpu_ms_per_call"]["median"] > 0
        # Not a speed: the server holds each call for that long.
        assert figures["latency_ms"]["p50"]["min"] >= (50 if "50 ms" in name else 0)


def test_a_slow_gateway_stands_beside_the_payments_of_another_one(
    environ: dict[str, str], tmp_path: Path
) -> None:
    arguments = ["isolation", "--payments", "50", "--slow-payments", "20", "--slow-ms", "1500"]
    result = measured(environ, tmp_path, *arguments)
    assert result["errors"] == []
    assert result["cases"].keys() == {"alone", "beside a slow gateway"}
    assert result["cases"]["beside a slow gateway"]["ratio_to_alone"]["median"] > 0


@pytest.mark.parametrize("gateway", EMULATED)
def test_payments_are_measured_to_their_end_at_each_emulated_gateway(
    gateway: str, environ: dict[str, str], tmp_path: Path
) -> None:
    arguments = ["e2e", "--gateway", gateway, "--payments", "10", "--concurrency", "2"]
    result = measured(environ, tmp_path, *arguments)
    assert result["errors"] == []
    assert result["cases"]["2 at once"]["cpu_ms_by_part"]["gateway"]["median"] > 0


def test_an_open_loop_goes_over_http_to_the_sandbox_and_is_compared(
    environ: dict[str, str], tmp_path: Path
) -> None:
    arguments = ["e2e", "--rate", "10", "--rate", "20", "--seconds", "1", "--gateway", "sandbox"]
    first = measured(environ, tmp_path, *arguments, "--gateway-ms", "20")
    assert first["cases"].keys() == {"10 per second", "20 per second"}
    figures = first["cases"]["10 per second"]
    assert "gateway" in figures["cpu_ms_by_part"]
    assert figures["cpu_ms_per_payment_without_gateway"]["median"] > 0
    # Not a speed: the sandbox holds each charge for that long.
    assert first["latency_ms"]["p50"]["min"] >= 20


def test_a_bench_that_is_stopped_leaves_nothing_behind(environ: dict[str, str]) -> None:
    argv = [AEGIS, "bench", "drain", "--payments", "100000"]
    bench = subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert bench.stderr is not None
    stderr = bench.stderr
    wait_until(lambda: "warming up" in stderr.readline(), START_S)
    started = psutil.Process(bench.pid).children(recursive=True)
    bench.send_signal(signal.SIGTERM)
    bench.communicate(timeout=STOP_S)
    assert bench.returncode == 3
    assert alive([process.pid for process in started]) == []


def test_production_is_not_measured_with_the_null_gateway(environ: dict[str, str]) -> None:
    argv = [AEGIS, "bench", "drain"]
    ran = subprocess.run(
        argv, env={**environ, "AEGIS_ENV": "production"}, capture_output=True, text=True, timeout=START_S
    )
    assert ran.returncode == 3
    assert "production refuses null" in ran.stderr


def test_two_environments_are_compared_round_by_round(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    sides = ("--env-a", "AEGIS_BATCH=16", "--env-b", "AEGIS_BATCH=32")
    argv = [AEGIS, "bench", "compare", "--mode", "drain", "--payments", "50", "--rounds", "1", *sides]
    argv += ["--with", "--gateway-ms 5"]
    ran = subprocess.run(
        [*argv, "--json", str(file)], env=environ, capture_output=True, text=True, timeout=4 * START_S
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    compared = json.loads(file.read_text())["drain"]
    assert compared["ratios"]["backlog"]["cpu_ms_per_payment"]["median"] > 0
    assert [side["options"]["gateway_ms"] for side in compared["rounds"][0]] == [5, 5]
