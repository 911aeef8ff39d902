"""Lines about everyday work, at INFO: which of them are written is a matter of settings.

A share is drawn by payment, the same way in each process, so that of a payment either all lines are there or none. A
process writes so many lines a second at most; the next line then says how many were left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from threading import Lock
from typing import Any
from zlib import crc32

import structlog

from aegis_worker.domain.trails import Trail
from aegis_worker.observation_settings import LineKind, ObservationSettings

_log = structlog.get_logger("aegis")
_logger = logging.getLogger("aegis")
_WHOLE = 1 << 32


class Telling:
    """The lines of one process. Threads may share it."""

    def __init__(self) -> None:
        self.on = False
        """Whether any line is ever wanted: to be looked at first, where many lines may be told of."""
        self._lock = Lock()
        self._limits: Mapping[str, int] = {}
        self._per_s = self._left = self._left_out = 0
        self._until_s = 0.0

    def configure(self, settings: ObservationSettings) -> None:
        """Write these lines from now on; before, none is written."""
        self._limits = {kind: int(share * _WHOLE) for kind, share in settings.log_shares.items() if share}
        self._per_s = settings.log_lines_per_s
        self.on = bool(self._limits) and self._per_s > 0
        self._until_s = 0.0

    def wants(self, kind: LineKind, about: str) -> bool:
        """Whether a line of this kind about this payment, gateway or request is to be written; it is counted as written."""
        limit = self._limits.get(kind, 0) if self.on else 0
        if not limit or not _logger.isEnabledFor(logging.INFO):
            return False
        if limit < _WHOLE and crc32(about.encode()) >= limit:
            return False
        with self._lock:
            now_s = time.monotonic()
            if now_s >= self._until_s:
                self._until_s, self._left = now_s + 1.0, self._per_s
            if not self._left:
                self._left_out += 1
                return False
            self._left -= 1
        return True

    def tell(self, event: str, trail: Trail | None = None, **fields: Any) -> None:
        """Write a line that is wanted. Of the fields, those that are None are left out."""
        told = {name: value for name, value in fields.items() if value is not None}
        if trail is not None:
            told |= trail_fields(trail)
        with self._lock:
            left_out, self._left_out = self._left_out, 0
        if left_out:
            told["left_out"] = left_out
        _log.info(event, **told)


def trail_fields(trail: Trail) -> dict[str, str]:
    """The trail as fields of a line."""
    told = {} if trail.correlation_id is None else {"correlation_id": trail.correlation_id}
    if trail.traceparent is not None:
        _, told["trace_id"], told["span_id"], _ = trail.traceparent.split("-")
    return told


TELLING = Telling()
