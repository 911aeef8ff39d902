"""Places for requests that could otherwise hold every thread of a process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import BoundedSemaphore

from flask import g

from aegis_worker.errors import TooBusy

from . import framing
from .parts import parts


class Places:
    """So many places in one process. Thread-safe."""

    def __init__(self, places: int) -> None:
        self._free = BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Yield whether a place was free. The end of the block gives the place back."""
        taken = self._free.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._free.release()


def place_without_a_key() -> AbstractContextManager[None]:
    """For a request with a body whose caller showed no key, such as a gateway's event. Entering it raises TooBusy.

    Anybody can send these, and each may hold its thread while it asks PostgreSQL or while its body comes: all together
    get some of the threads, and the others stay with the merchants.
    """
    if "owner" in g or "operator" in g or "person" in g or not framing.announces_body():
        return _NONE_NEEDED
    return _among_keyless()


_NONE_NEEDED = nullcontext()


@contextmanager
def _among_keyless() -> Iterator[None]:
    with parts().keyless.place() as placed:
        if not placed:
            raise TooBusy("every place for requests without an API key is taken")
        yield
