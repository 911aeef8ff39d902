"""The hot statements, each a file in sql/. Some are put together from parts: files there, or text that is given by name."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"
_COMMENT = re.compile(r"--.*")
_PART = re.compile(r"\{(\w+)\}")


def text_of(name: str, **parts: str) -> str:
    """What sql/NAME.sql says, each `{part}` filled in. Comments are left out, so that PostgreSQL need not read them.

    Raises KeyError for a part that the file names and that is not given.
    """
    text = (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    without_comments = _COMMENT.sub("", text).strip()
    return _PART.sub(lambda found: parts[found[1]], without_comments)
