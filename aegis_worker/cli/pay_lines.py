"""The lines of a file of payments: the body and key of each, and how many fit into one request."""

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

# Far above the API's own limit, so that the API refuses long lines. Up to this length a line is read in one go.
_LONGEST_LINE = 1 << 20
_PLACE = re.compile(r" at line \d+, column \d+")
# The size of one batch: it costs the API some milliseconds, and is below what proxies accept without being configured.
_BATCH_LINES, _BATCH_BYTES = 100, 1 << 18


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file: the body to post and its key, or the fault that prevents it. `size` in bytes.

    `column`: for a line that isn't JSON, where the error is, from 1; otherwise None.
    """

    number: int
    size: int = 0
    key: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    fault: tuple[str, str] | None = None
    column: int | None = None


def count_lines(path: Path) -> int:
    """The number of lines that are not blank."""
    return sum(1 for _ in _raw_lines(path))


def read_lines(path: Path) -> Iterator[Line]:
    """The lines that are not blank, numbered from 1 as an editor does. A byte order mark is not part of them."""
    for number, raw in _raw_lines(path):
        if len(raw) >= _LONGEST_LINE:
            yield Line(number, len(raw), fault=("payload_too_large", f"longer than {_LONGEST_LINE} bytes"))
        else:
            yield _line(path.name, number, raw)


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank. Of a line longer than `_LONGEST_LINE`, only the beginning."""
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
    """Group the lines into as many as one request may hold."""
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
