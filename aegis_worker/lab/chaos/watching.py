"""Looks at a running installation once a second: breakers and counts from `/metrics`, injections from workers' logs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from aegis_worker.domain.breakers import BreakerState

from .facts import Injected, Sample

_EVERY_S, _TIMEOUT_S = 1.0, 1.0


class Watcher:
    """Takes a sample every second for the length of a `with` block. `began_s`: when the load began (`time.monotonic`)."""

    def __init__(self, api_url: str, began_s: float) -> None:
        self._url, self._began_s = f"{api_url}/metrics", began_s
        self._http = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False)
        self._over = threading.Event()
        self.samples: list[Sample] = []
        self._thread = threading.Thread(target=self._look_on, name="chaos-watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._http.clear()

    def _look_on(self) -> None:
        while True:
            self.samples.append(self._look())
            if self._over.wait(_EVERY_S):
                return

    def _look(self) -> Sample:
        at_s = time.monotonic() - self._began_s
        try:
            answer = self._http.request("GET", self._url)
        except urllib3.exceptions.HTTPError:
            return Sample(at_s)
        return sample_of(at_s, answer.data.decode()) if answer.status == 200 else Sample(at_s)


def sample_of(at_s: float, metrics: str) -> Sample:
    """What the text of `/metrics` says. Breakers are unknown while Redis can't be asked."""
    breakers: dict[tuple[str, str], BreakerState] = {}
    openings, injected, known = 0, 0, False
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "aegis_gateway_breaker_state" and sample.value == 1:
                breakers[labels["gateway"], labels["operation"]] = BreakerState(labels["state"])
            elif sample.name == "aegis_gateway_breaker_openings_total":
                known, openings = True, openings + int(sample.value)
            elif sample.name == "aegis_chaos_injections_total":
                injected += int(sample.value)
    return Sample(at_s, breakers if known else None, openings if known else None, injected)


def injections_in(log: Path, began_at: float) -> list[Injected]:
    """What a worker's log, and the one before its last start, tell of injections. `began_at`: of the load, since 1970.

    A worker that was too slow to start is started again with a later plan; what it said before the load is left out.
    """
    found = [_injected(line, began_at) for file in _files(log) for line in _lines(file)]
    return sorted((one for one in found if one is not None and one.at_s >= 0), key=lambda one: one.at_s)


def _files(log: Path) -> list[Path]:
    return sorted(log.parent.glob(f"{log.stem}*"))


def _lines(file: Path) -> Iterator[str]:
    with file.open(errors="replace") as opened:
        yield from (line for line in opened if '"injected"' in line)


def _injected(line: str, began_at: float) -> Injected | None:
    try:
        told: dict[str, Any] = json.loads(line[line.index("{") :])
    except ValueError:
        return None
    if told.get("event") != "injected":
        return None
    at_s = datetime.fromisoformat(told["timestamp"]).timestamp() - began_at
    return Injected(at_s, told["injection"], told["kind"], told.get("gateway"))
