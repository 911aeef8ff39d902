"""Checks the head of an answer. libcurl takes more than we may believe: two lengths, odd statuses, unknown codings.

An answer that two readers could read differently is no answer: the connection is closed, and the outcome is Unknown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

# RFC 9112, 4; of HTTP/2 libcurl makes a status line of its own.
_STATUS = re.compile(rb"\AHTTP/(?:1\.[01]|2) ([1-9][0-9]{2})(?: [^\0\r\n]*+)?\r?\n\Z")
# RFC 9110, 5.6.2: a token, and no space before the colon. A line that begins with a space continues the one before it,
# which RFC 9112 lets nobody send any more.
_FIELD = re.compile(rb"\A([!#$%&'*+.^_`|~0-9A-Za-z-]++):([^\0\r\n]*+)\r?\n\Z")
# Lines that are remembered. Most lines of a gateway's answers are the same each time, and then are not read again.
_MOST_KNOWN, _LONGEST_KNOWN = 512, 256
# The fields that say where the body ends, and how it is coded.
_OF_THE_BODY = frozenset(("content-length", "content-encoding", "transfer-encoding"))
_SWITCHING = 101


class MalformedAnswer(Exception):
    """The bytes are no HTTP answer, or one that two readers would read differently. The message says why."""


class Head(Struct, frozen=True):
    """Status and fields of an answer. The names of `headers` are in lower case."""

    status: int
    headers: dict[str, str]

    @property
    def is_interim(self) -> bool:
        """Whether the answer itself is still to come. 101 is not interim, because nobody asks to switch protocols."""
        return self.status < 200


def read_head(lines: Sequence[bytes]) -> Head:
    """The head with these lines, from the status line to the last field. Raises MalformedAnswer."""
    if not lines:
        raise MalformedAnswer("the status line is none")
    status = _known_status(lines[0]) if len(lines[0]) <= _LONGEST_KNOWN else _status(lines[0])
    fields = [_known_field(line) if len(line) <= _LONGEST_KNOWN else _field(line) for line in lines[1:]]
    if status == _SWITCHING:
        raise MalformedAnswer("a switch of protocols that nobody asked for")
    _check_body(lines[0][:8], tuple([field for field in fields if field[0] in _OF_THE_BODY]))
    return Head(status, dict(fields))


def _status(line: bytes) -> int:
    """The status of a status line. Raises MalformedAnswer."""
    found = _STATUS.match(line)
    if found is None:
        raise MalformedAnswer("the status line is none")
    return int(found[1])


def _field(line: bytes) -> tuple[str, str]:
    """A field's name in lower case, and its value. Raises MalformedAnswer."""
    found = _FIELD.match(line)
    if found is None:
        raise MalformedAnswer("a header field is none")
    return found[1].decode("ascii").lower(), found[2].decode("latin-1").strip()


_known_status, _known_field = lru_cache(_MOST_KNOWN)(_status), lru_cache(_MOST_KNOWN)(_field)


@lru_cache(_MOST_KNOWN)
def _check_body(version: bytes, fields: tuple[tuple[str, str], ...]) -> None:
    """Raises MalformedAnswer if the fields leave open where the body ends (RFC 9112, 6), or say that it is encoded."""
    lengths = {
        length.strip() for name, value in fields if name == "content-length" for length in value.split(",")
    }
    transfers = [value.lower() for name, value in fields if name == "transfer-encoding"]
    if len(lengths) > 1 or not all(length.isascii() and length.isdecimal() for length in lengths):
        raise MalformedAnswer("the length of the body is none, or two")
    if transfers and (lengths or version != b"HTTP/1.1"):
        raise MalformedAnswer("the head gives two lengths of the body")
    if transfers and transfers != ["chunked"]:
        raise MalformedAnswer("the body has a transfer coding that was not asked for")
    if any(name == "content-encoding" and value.lower() != "identity" for name, value in fields):
        raise MalformedAnswer("the body is encoded, which was not asked for")
