"""Payments that keep coming while something else happens."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Self

from support.installation import Installation, card

_TOKENS = ("tok_visa", "tok_latency_300", "tok_soft_try_again_at_sandbox_a", "tok_latency_900")


class Load:
    """Posts a payment about every `every_s` seconds until the end of the `with` block."""

    def __init__(self, running: Installation, every_s: float = 0.1, tokens: Sequence[str] = _TOKENS) -> None:
        self._running = running
        self._tokens = tokens
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._post, name="load")
        self.payment_ids: list[str] = []
        self.refused: list[object] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _post(self) -> None:
        for token in itertools.cycle(self._tokens):
            if self._over.wait(self._every_s):
                return
            reply = self._running.post(card(token))
            if reply.status == 202:
                self.payment_ids.append(reply.body["id"])
            else:
                self.refused.append(reply.body)
