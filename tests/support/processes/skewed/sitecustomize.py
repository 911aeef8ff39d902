"""Run at the start of a Python process: sets its clocks TEST_CLOCK_SKEW_S seconds off, as on a machine without NTP.

TEST_CLOCK_SKEW_S may also name a file that holds the number. Then the clock can be set while the process runs.
"""

from __future__ import annotations

import copyreg
import datetime
import os
import time
from typing import Any, cast

_SKEW = os.environ["TEST_CLOCK_SKEW_S"]
_real_time = time.time
_Real = datetime.datetime


def _skew_s() -> float:
    if not os.path.isabs(_SKEW):
        return float(_SKEW)
    with open(_SKEW) as file:
        return float(file.read())


class _Shifted(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Real)


class _ShiftedDatetime(_Real, metaclass=_Shifted):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _Real.now(tz) + datetime.timedelta(seconds=_skew_s())

    @classmethod
    def utcnow(cls) -> Any:
        return _Real.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=_skew_s())


time.time = lambda: _real_time() + _skew_s()
datetime.datetime = _ShiftedDatetime  # type: ignore[misc]
# Beat pickles datetimes into a file, and pickle finds the class by its usual name.
_ShiftedDatetime.__module__, _ShiftedDatetime.__qualname__ = "datetime", "datetime"
copyreg.pickle(_Real, lambda value: (_ShiftedDatetime, cast("tuple[Any, ...]", value.__reduce_ex__(2)[1])))
