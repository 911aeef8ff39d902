"""StatsD over UDP, plain or as Datadog extended it (DogStatsD, with tags); CloudWatch's and New Relic's agents take both.

Nothing waits for an answer, because there is none: what the agent does not take is lost.
"""

from __future__ import annotations

import math
import re
import socket
from collections.abc import Iterable, Iterator

from .meter import Batch, Distribution, Labels
from .table import Metric

# What fits into one packet on any network.
_LONGEST_PACKET = 1432
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_IN_TAGS = re.compile(r"[,|#:\s]+")


class StatsD:
    """`tagged`: DogStatsD's form. Without it, labels are parts of the name, in the order of the metric's table row."""

    wants_gauges = True

    def __init__(self, host: str, port: int, *, tagged: bool) -> None:
        self._address, self._tagged = (host, port), tagged
        self._socket: socket.socket | None = None

    def send(self, batch: Batch) -> None:
        """See `meter.Sink`."""
        try:
            agent = self._socket = self._socket or self._opened()
        except OSError:  # the name can't be resolved, which may have taken a while: once a batch
            return
        were_taken = True
        for packet in _packets(self._lines(batch)):
            try:
                agent.send(packet)
            except OSError:  # nobody listens there, or no more is taken now
                were_taken = False
        if not were_taken:
            self._close()  # the agent may have moved

    def _opened(self) -> socket.socket:
        family, kind, proto, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
        opened = socket.socket(family, kind, proto)
        opened.setblocking(False)
        opened.connect(address)
        return opened

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _lines(self, batch: Batch) -> Iterator[str]:
        for (metric, labels), count in batch.counts.items():
            yield self._line(metric, labels, _number(count), "c")
        for (metric, labels), found in batch.distributions.items():
            yield from self._values(metric, labels, found)
        for (metric, labels), value in batch.gauges.items():
            if not math.isfinite(value):
                continue  # what has no value has no number in StatsD either
            if value < 0 and not self._tagged:
                yield self._line(metric, labels, "0", "g")  # a signed value would be added to the last one
            yield self._line(metric, labels, _number(value), "g")

    def _values(self, metric: Metric, labels: Labels, found: Distribution) -> Iterator[str]:
        """Single values. Where there were more than are kept, they stand for the others by a sample rate."""
        rate = "" if found.count == len(found.values) else f"|@{len(found.values) / found.count:.6f}"
        for value in found.values:
            if self._tagged:
                yield self._line(metric, labels, _number(value), f"d{rate}")
            else:
                yield self._line(metric, labels, _number(value * 1000), f"ms{rate}")

    def _line(self, metric: Metric, labels: Labels, value: str, kind: str) -> str:
        name = metric.name.replace("_", ".", 1)
        if self._tagged:
            pairs = zip(metric.labels, labels, strict=True)
            tags = ",".join(f"{label}:{_NOT_IN_TAGS.sub('_', of_it)}" for label, of_it in pairs)
            return f"{name}:{value}|{kind}" + (f"|#{tags}" if tags else "")
        if metric.kind == "histogram":
            name = name.removesuffix("_seconds")
        parts = (name, *(_NOT_IN_NAMES.sub("_", of_it).strip("_") or "none" for of_it in labels))
        return f"{'.'.join(parts)}:{value}|{kind}"


def _number(value: float) -> str:
    """To the microsecond, and without an exponent, which not every agent reads."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _packets(lines: Iterable[str]) -> Iterator[bytes]:
    packet = b""
    for line in map(str.encode, lines):
        if packet and len(packet) + 1 + len(line) > _LONGEST_PACKET:
            yield packet
            packet = b""
        packet = packet + b"\n" + line if packet else line
    if packet:
        yield packet
