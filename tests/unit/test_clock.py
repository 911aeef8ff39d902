"""The clock that leases and keys are judged by."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from aegis_worker import clock


def test_where_a_machine_has_no_clock_that_counts_its_sleep_the_monotonic_one_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    assert clock._clock() == time.CLOCK_MONOTONIC


def test_a_clock_that_the_kernel_refuses_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 123_456, raising=False)
    assert clock._clock() == time.CLOCK_MONOTONIC


def test_the_clock_goes_on_while_its_process_is_stopped() -> None:
    reader = (
        "import sys; from aegis_worker.clock import clock_s\nfor _ in sys.stdin: print(clock_s(), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reader], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        print(file=process.stdin, flush=True)
        before_s = float(process.stdout.readline())
        psutil.Process(process.pid).suspend()
        time.sleep(0.5)
        psutil.Process(process.pid).resume()
        print(file=process.stdin, flush=True)
        assert float(process.stdout.readline()) - before_s >= 0.5
        process.stdin.close()
