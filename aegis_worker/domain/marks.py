"""What was injected into an attempt on purpose: kept with it, so that nobody takes it for a gateway's own doing."""

from __future__ import annotations

# What an attempt keeps of it; more than this many characters end in "…".
_LONGEST = 200


class Marks:
    """What was injected into one call, in words, while it is under way."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, told: str) -> None:
        """One injection has struck. Called by the thread that has the call, before the call's outcome is told."""
        self._found.append(told)

    @property
    def text(self) -> str | None:
        """All of it, each once; None where nothing was injected."""
        return joined(None, ", ".join(self._found) or None)


def joined(earlier: str | None, more: str | None) -> str | None:
    """What was known of an attempt before, and what is new: each once, in the order in which it came."""
    parts = [part for text in (earlier, more) if text for part in text.split(", ")]
    if not parts:
        return None
    text = ", ".join(dict.fromkeys(parts))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
