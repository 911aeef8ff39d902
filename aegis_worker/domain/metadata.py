"""What a payment's metadata may hold, whoever adds it: merchants who post it, and hooks that enrich a payment.

Routing rules name its keys (`metadata.KEY`).
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from .text import is_lines

KEY_FORM = "[A-Za-z0-9_.-]{1,128}"
KEY_RULE = "A metadata key must be 1 to 128 characters of A-Z, a-z, 0-9, _, - and ."
MOST_KEYS, LONGEST_TEXT = 50, 1000
LARGEST_INTEGER = 2**63 - 1
# Below this value a float and a decimal of 15 digits are the same number for every reader.
FLOATS_BELOW = 1e15
_form = re.compile(KEY_FORM)

WrongValue = Literal["too long", "characters", "type", "64 bits", "float"]


def is_key(key: str) -> bool:
    """Whether metadata may have this key."""
    return _form.fullmatch(key) is not None


def wrong_with(value: Any) -> WrongValue | None:
    """What is wrong with a value; None where metadata may hold it: a text, a number, a boolean or null."""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            return "too long"
        return None if is_lines(value) else "characters"
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER else "64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) and abs(value) < FLOATS_BELOW else "float"
    return "type"
