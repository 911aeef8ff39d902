"""For the start of a Python process: its clocks are TEST_CLOCK_SKEW_S seconds off, as on a machine without NTP."""

from __future__ import annotations

import datetime
import os
import time
from typing import Any

_SKEW_S = float(os.environ["TEST_CLOCK_SKEW_S"])
_real_time, _Real = time.time, datetime.datetime


class _Shifted(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Real)


class _ShiftedDatetime(_Real, metaclass=_Shifted):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _Real.now(tz) + datetime.timedelta(seconds=_SKEW_S)

    @classmethod
    def utcnow(cls) -> Any:
        return _Real.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=_SKEW_S)


time.time = lambda: _real_time() + _SKEW_S
datetime.datetime = _ShiftedDatetime  # type: ignore[misc]
