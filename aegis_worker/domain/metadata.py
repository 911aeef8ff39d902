"""The keys of a payment's metadata, as merchants post them and routing rules name them (`metadata.KEY`)."""

from __future__ import annotations

import re

KEY_FORM = "[A-Za-z0-9_.-]{1,128}"
KEY_RULE = "A metadata key must be 1 to 128 characters of A-Z, a-z, 0-9, _, - and ."
_form = re.compile(KEY_FORM)


def is_key(key: str) -> bool:
    """Whether metadata may have this key."""
    return _form.fullmatch(key) is not None
