"""`aegis demo`, with few payments."""

from __future__ import annotations

import json
import signal
import subprocess
from itertools import chain
from pathlib import Path

import psutil
import pytest
from support.installation import AEGIS, START_S, STOP_S, alive, command_lines, wait_until

from aegis_worker.lab.local.emulated import EMULATED

KEYS = {
    "payments",
    "by_state",
    "by_gateway",
    "charged_twice",
    "charged_not_success",
    "success_not_charged",
    "captures_differ",
    "voids_differ",
    "still_held",
    "refunds_differ",
    "unresolved",
    "failed_over",
    "webhooks_out_of_order",
    "webhooks_missing",
    "accept_ms",
    "end_to_end_ms",
    "throughput_per_s",
    "duration_s",
    "seed",
    "ledgers",
}


@pytest.mark.slow  # .ci/run runs the demo itself
def test_the_demo_passes_and_writes_its_figures(environ: dict[str, str], tmp_path: Path) -> None:
    argv = [AEGIS, "demo", "--payments", "40", "--seed", "7", "--json", str(tmp_path / "out.json")]
    demo = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=2 * START_S)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures.keys() == KEYS
    assert (figures["payments"], figures["seed"]) == (40, 7)
    assert figures["by_state"] == {"SUCCESS": 32, "FAILURE": 6, "CANCELLED": 2}
    wrong = ("charged_twice", "charged_not_success", "success_not_charged", "unresolved")
    differ = ("captures_differ", "voids_differ", "still_held", "refunds_differ")
    named = (*wrong, *differ, "webhooks_out_of_order", "webhooks_missing")
    assert [figures[name] for name in named] == [0] * 10
    first = [row["ledger"] for row in figures["ledgers"] if row["gateway"] == "sandbox_a"]
    assert first[1:] == [8, 4, 8]  # captures, voids, refunds
    assert figures["accept_ms"].keys() == figures["end_to_end_ms"].keys() == {"p50", "p95", "p99"}
    assert "payment.succeeded" in demo.stdout


@pytest.mark.slow
def test_the_demo_passes_with_the_adapters_of_real_gateways(environ: dict[str, str], tmp_path: Path) -> None:
    argv = [AEGIS, "demo", "--payments", "100", "--gateways", ",".join(EMULATED), "--vault"]
    argv += ["--json", str(tmp_path / "out.json")]
    # The lease of these tests is shorter than the emulators' gateways may take.
    environ = {name: value for name, value in environ.items() if name != "AEGIS_LEASE_S"}
    demo = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=2 * START_S)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    figures = json.loads((tmp_path / "out.json").read_text())
    assert all(figures["by_gateway"][name] > 5 for name in EMULATED)
    assert all(row["ledger"] == row["ours"] for row in figures["ledgers"])
    assert all(row["ours"] > 0 for row in figures["ledgers"] if row["what"] == "charges")
    assert figures["failed_over"] == 6, "of the vault's cards, while the first gateway was down"
    assert {row["gateway"] for row in figures["ledgers"]} == set(EMULATED)


@pytest.mark.slow
def test_a_demo_that_is_stopped_leaves_nothing_behind(environ: dict[str, str]) -> None:
    demo = subprocess.Popen(
        [AEGIS, "demo"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    told = demo.stderr
    assert told is not None
    wait_until(lambda: "posting" in told.readline(), START_S)
    started = psutil.Process(demo.pid).children(recursive=True)
    arguments = chain.from_iterable(command_lines(started).values())
    (ledger,) = {Path(argument) for argument in arguments if "sandbox_a.sq" in argument}
    assert ledger.exists()
    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=STOP_S)
    assert demo.returncode == 3
    assert alive([process.pid for process in started]) == []
    assert not ledger.exists()
