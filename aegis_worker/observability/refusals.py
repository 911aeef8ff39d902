"""What a process says that can't do what it was started for: one line, without secrets."""

from __future__ import annotations

import sys
from typing import NoReturn

from aegis_worker.errors import AegisError

from .redaction import redact_text


def one_line(error: AegisError) -> str:
    """The error as the last line of a command or a process."""
    return f"aegis: {redact_text('; '.join(str(error).splitlines()))}"


def refuse_to_start(error: AegisError) -> NoReturn:
    """Say why on standard error, past whatever a framework has put in its place, and end with 3."""
    print(one_line(error), file=sys.__stderr__, flush=True)
    sys.exit(3)
