"""Standard output and standard error of a command whose reader may go away: `aegis … | head -1` is no error. What can't be
written for another reason, such as a full disk, ends the command with a line and 3.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast


class _Watched:
    """A stream. Once nobody reads it any more, the command ends with 0, or goes on without it."""

    def __init__(self, stream: TextIO, *, ends: bool) -> None:
        self._stream, self._ends = stream, ends

    def write(self, text: str) -> int:
        """As the stream does."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._gone(error)
            return len(text)

    def flush(self) -> None:
        """As the stream does."""
        try:
            self._stream.flush()
        except OSError as error:
            self._gone(error)

    def _gone(self, error: OSError) -> None:
        # Python writes what is buffered at its exit; let it go nowhere instead of failing again.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        if self._ends:
            # SystemExit lets `with` and `finally` clean up.
            if isinstance(error, BrokenPipeError):
                sys.exit(0)  # the reader has what they wanted, so this is success
            print(f"aegis: standard output can't be written: {error.strerror}", file=sys.stderr)
            sys.exit(3)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """For the whole of a command: nobody reading standard output ends it with 0; nobody reading standard error, nothing."""
    out, err = sys.stdout, sys.stderr
    watched = _Watched(out, ends=True)
    sys.stdout, sys.stderr = cast("TextIO", watched), cast("TextIO", _Watched(err, ends=False))
    try:
        try:
            yield
        finally:
            watched.flush()
    finally:
        sys.stdout, sys.stderr = out, err
