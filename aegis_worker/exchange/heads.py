"""Checks the head of an answer. libcurl takes more than we may believe: two lengths, odd statuses, unknown codings.

An answer that two readers could read differently is no answer: the connection is closed, and the outcome is Unknown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

# RFC 9112, 4; of HTTP/2 libcurl makes a status line of its own.
_STATUS = re.compile(rb"\AHTTP/(?:1\.[01]|2) ([1-9][0-9]{2})(?: [^\0\r\n]*+)?\r?\n\Z")
# RFC 9110, 5.6.2: a token, and no space before the colon. A line that begins with a space continues the one before it,
# which RFC 9112 lets nobody send any more.
_FIELDS = re.compile(rb"\A(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[^\0\r\n]*+\r?\n)*+\Z")
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
    status = _STATUS.match(lines[0]) if lines else None
    if status is None:
        raise MalformedAnswer("the status line is none")
    if not _FIELDS.match(b"".join(lines[1:])):
        raise MalformedAnswer("a header field is none")
    head = Head(int(status[1]), {})
    if head.status == _SWITCHING:
        raise MalformedAnswer("a switch of protocols that nobody asked for")
    lengths: set[str] = set()
    codings: set[str] = set()
    transfers: list[str] = []
    for line in lines[1:]:
        raw_name, _, raw_value = line.decode("latin-1").partition(":")
        name, value = raw_name.lower(), raw_value.strip()
        head.headers[name] = value
        if name == "content-length":
            lengths.update(length.strip() for length in value.split(","))
        elif name == "content-encoding":
            codings.add(value.lower())
        elif name == "transfer-encoding":
            transfers.append(value.lower())
    _check_framing(lines[0], lengths, transfers)
    if codings - {"identity"}:
        raise MalformedAnswer("the body is encoded, which was not asked for")
    return head


def _check_framing(status_line: bytes, lengths: set[str], transfers: Sequence[str]) -> None:
    """Raises MalformedAnswer if the fields leave open where the body ends (RFC 9112, 6)."""
    if len(lengths) > 1 or not all(length.isascii() and length.isdecimal() for length in lengths):
        raise MalformedAnswer("the length of the body is none, or two")
    if transfers and (lengths or not status_line.startswith(b"HTTP/1.1")):
        raise MalformedAnswer("the head gives two lengths of the body")
    if transfers and transfers != ["chunked"]:
        raise MalformedAnswer("the body has a transfer coding that was not asked for")
