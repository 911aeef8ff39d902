"""What is left to do after a run of the deliveries: posts to endpoints that hang."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class Afterwards:
    """Finishes what runs leave, each on a thread of its own. Call `finish` before the process ends."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def leave(self, finish: Callable[[], None]) -> None:
        """Call `finish` on a thread, so that the caller can go on."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=_finish, args=(finish,), name="webhooks-afterwards")
        self._threads.append(thread)
        thread.start()

    def finish(self) -> None:
        """Return when nothing is left, which takes as long as the slowest post."""
        for thread in self._threads:
            thread.join()


def _finish(finish: Callable[[], None]) -> None:
    try:
        finish()
    except Exception:
        log.exception("webhooks not settled; they are posted again when their leases end")
