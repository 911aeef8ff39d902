"""The building blocks of `aegis doctor`'s checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from aegis_worker.observability.redaction import redact_text

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: the thing checked, its status, what was seen and, unless all is well, what to do."""

    name: str
    verdict: Verdict
    seen: str
    advice: str = ""


def ok(name: str, seen: str) -> Check:
    """All is well."""
    return Check(name, "ok", redact_text(seen))


def warn(name: str, seen: str, advice: str) -> Check:
    """Payments still go through, but someone should look."""
    return Check(name, "warn", redact_text(seen), advice)


def fail(name: str, seen: str, advice: str) -> Check:
    """Payments are refused, stuck or at risk."""
    return Check(name, "fail", redact_text(seen), advice)


def guarded(name: str, advice: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """The checks of `look`. If it raises, that becomes a failed check, so that the other checks are still made."""
    try:
        yield from look()
    except Exception as error:
        first_line = str(error).strip().split("\n", 1)[0]
        yield fail(name, f"{type(error).__name__}: {first_line}"[:300], advice)
