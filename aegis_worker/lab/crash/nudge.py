"""Beat's schedule, sped up, so that tasks of once a minute or once an hour soon get to their crash points."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from kombu.exceptions import OperationalError

from aegis_worker.celery import app

_EVERY_S = 0.5
_EXPIRES_S = 2.0


class Nudge:
    """Sends every task of beat's schedule twice a second, for the length of the block."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send_forever, name="nudge", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _send_forever(self) -> None:
        with app.connection_for_write(self._url) as connection:
            while not self._over.wait(_EVERY_S):
                for entry in app.conf.beat_schedule.values():
                    self._send(connection, entry)

    def _send(self, connection: Any, entry: dict[str, Any]) -> None:
        try:
            app.send_task(
                entry["task"],
                queue=entry["options"]["queue"],
                expires=_EXPIRES_S,
                connection=connection,
                ignore_result=True,
            )
        except (OperationalError, OSError):
            self._over.wait(_EVERY_S)
