"""What is wrong with a document, and where: every problem is collected, so that one look shows all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aegis_worker.domain.json_pointers import escaped, steps
from aegis_worker.domain.text import is_line

Path = tuple[str | int, ...]

# A document may be wrong all over; more than this helps nobody.
MOST_PROBLEMS = 50


class Checks:
    """Reads values of a document and keeps what is wrong with them. A reader of a wrong value returns None or nothing.

    `wrongs` counts what was wrong, `problems` holds the first of them.
    """

    def __init__(self) -> None:
        self.problems: list[dict[str, str]] = []
        self.wrongs = 0

    def wrong(self, path: Path, detail: str) -> None:
        """`detail` is wrong with the value at `path`."""
        self.wrongs += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append({"pointer": _pointer(path), "detail": detail})

    def table(self, path: Path, value: Any, known: Collection[str] | None = None) -> Mapping[str, Any]:
        """A table; with `known`, no other keys."""
        if not isinstance(value, Mapping):
            self.wrong(path, "must be a table")
            return {}
        if known is not None:
            for key in value:
                if key not in known:
                    self.wrong((*path, key), f"unknown setting; known are {', '.join(sorted(known))}")
        return value

    def items(self, path: Path, value: Any, most: int) -> Sequence[Any]:
        """A list of at most `most` items."""
        if not isinstance(value, list | tuple):
            self.wrong(path, "must be a list")
            return ()
        if len(value) > most:
            self.wrong(path, f"must have at most {most} items, not {len(value)}")
            return ()
        return value

    def text(self, path: Path, value: Any, longest: int) -> str | None:
        """A string of 1 to `longest` printable characters."""
        if not is_text(value, longest):
            self.wrong(path, f"must be a string of 1 to {longest} printable characters")
            return None
        return str(value)

    def one_of(self, path: Path, value: Any, choices: Collection[str], what: str) -> str | None:
        """One of `choices`; `what` they are."""
        if not isinstance(value, str) or value not in choices:
            self.wrong(path, f"unknown {what} {shown(value)}; one of {', '.join(choices)}")
            return None
        return value

    def whole(self, path: Path, value: Any, lowest: int, highest: int) -> int | None:
        """A whole number from `lowest` to `highest`."""
        if type(value) is not int or not lowest <= value <= highest:
            self.wrong(path, f"must be a whole number from {lowest} to {highest}")
            return None
        return value

    def number(self, path: Path, value: Any, lowest: float, highest: float) -> float | None:
        """A number from `lowest` to `highest`."""
        if type(value) not in (int, float) or not lowest <= value <= highest:
            self.wrong(path, f"must be a number from {lowest:g} to {highest:g}")
            return None
        return float(value)

    def switch(self, path: Path, value: Any) -> bool | None:
        """True or false."""
        if not isinstance(value, bool):
            self.wrong(path, "must be true or false")
            return None
        return value


def is_text(value: Any, longest: int) -> bool:
    """Whether it is a string of one line, up to `longest` characters."""
    return isinstance(value, str) and 1 <= len(value) <= longest and is_line(value)


def shown(value: Any) -> str:
    """A value as a message shows it, never long."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def place(pointer: str, document: Any) -> str:
    """What a pointer points at, for people: `rules[2] (id "eu-cards").conditions[0].field`."""
    said = ""
    for key in steps(pointer):
        if isinstance(document, list | tuple) and key.isdecimal():
            document = document[int(key)]
            said += f"[{key}]"
            if isinstance(document, Mapping) and isinstance(document.get("id"), str):
                said += f" (id {shown(document['id'])})"
        else:
            document = document.get(key) if isinstance(document, Mapping) else None
            said += f".{key}" if said else key
    return said or "the document"


def _pointer(path: Path) -> str:
    return "".join("/" + escaped(str(part)) for part in path)
