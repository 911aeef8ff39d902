"""The lines of a file of payments: what each posts and under which key, and how many go into one request."""

from __future__ import annotations

import hashlib
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aegis_worker.domain.text import KEY_RULE, same_key
from aegis_worker.strict_json import MalformedJson, canonical, parse

# Far above what the API takes, so that it is the API that refuses; below it a line is read at one go.
_LONGEST_LINE = 1 << 20
_PLACE = re.compile(r" at line \d+, column \d+")
# One batch: some milliseconds of the API's time, and below what proxies let through as they come.
_BATCH_LINES, _BATCH_BYTES = 100, 1 << 18


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file: what to post and under which key, or the fault for which it can't be. `size` in bytes.

    `column`: where in a line that is no JSON it goes wrong, from 1; None for any other.
    """

    number: int
    size: int = 0
    key: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    fault: tuple[str, str] | None = None
    column: int | None = None


def count_lines(path: Path) -> int:
    """The file's lines that are not blank."""
    return sum(1 for _ in _raw_lines(path))


def read_lines(path: Path) -> Iterator[Line]:
    """The file's lines that are not blank, numbered from 1 as an editor does. A byte order mark is no part of the first."""
    for number, raw in _raw_lines(path):
        if len(raw) >= _LONGEST_LINE:
            yield Line(number, len(raw), fault=("payload_too_large", f"longer than {_LONGEST_LINE} bytes"))
        else:
            yield _line(path.name, number, raw)


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank; of one that is longer than `_LONGEST_LINE` only the beginning."""
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(_LONGEST_LINE):
            number += 1
            raw = raw.removeprefix(BOM_UTF8) if number == 1 else raw
            rest = raw
            while len(rest) >= _LONGEST_LINE - len(BOM_UTF8) and not rest.endswith(b"\n"):
                rest = file.readline(_LONGEST_LINE)
            if raw.strip():
                yield number, raw


def _line(file_name: str, number: int, raw: bytes) -> Line:
    try:
        body = parse(raw.rstrip())
    except MalformedJson as error:
        why = _PLACE.sub("", str(error)).replace("The body", "The line")
        return Line(number, len(raw), fault=(error.code, why), column=error.column)
    key = body.pop("idempotency_key", None)
    if key is None:
        content = hashlib.sha256(canonical(body)).hexdigest()
        key = "file_" + hashlib.sha256(f"{file_name}\n{number}\n{content}".encode()).hexdigest()[:48]
    elif not isinstance(key, str) or (key := same_key(key)) is None:
        return Line(number, len(raw), fault=("idempotency_key_invalid", KEY_RULE))
    return Line(number, len(raw), key, body)


def in_batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """As many lines at a time as one request may hold."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        if len(batch) == _BATCH_LINES or (batch and size + line.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += line.size
    if batch:
        yield batch
