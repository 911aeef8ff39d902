"""Hooks that validate and listen, and that fail as a payment's metadata asks them to (`hook`)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegis_worker.hooks import EventFacts, Numbers, Problem, RawBody, Validating, hookimpl

_A_MINUTE_S = 60.0


@hookimpl
def pre_validation(context: RawBody) -> list[Problem] | None:
    metadata = context.body.get("metadata")
    return _done(metadata) if isinstance(metadata, dict) else None


@hookimpl
def post_validation(context: Validating) -> list[Problem] | None:
    if context.payment.amount_minor == 666:
        return [Problem("/amount", "unlucky", "Not this one.")]
    return None


@hookimpl
def listen(context: EventFacts) -> None:
    _note("heard", f"{context.id} {context.seq}")
    if context.data["reference"] == "hangs":
        time.sleep(_A_MINUTE_S)
    if context.data["reference"] == "raises":
        raise OSError("the desk is away")


@hookimpl
def metrics(context: Numbers) -> None:
    _note("numbers", str(sum(one.count for one in context.counts)))


def _done(metadata: Mapping[str, Any]) -> list[Problem] | None:
    match metadata.get("hook"):
        case "raises":
            raise KeyError("desk")
        case "hangs":
            time.sleep(_A_MINUTE_S)
        case "dies":
            os._exit(1)
        case "answers nonsense":
            return [("not", "a problem")]  # type: ignore[list-item]
        case "refuses":
            return [Problem("/metadata/hook", "refused", "As you wish.")]
    return None


def _note(name: str, line: str) -> None:
    """Append a line to a file that the test reads."""
    if folder := os.environ.get("HOOKS_NOTE_IN"):
        with Path(folder, name).open("a") as file:
            file.write(f"{line}\n")
