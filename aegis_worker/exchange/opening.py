"""Opens cards of the vault for flows, on threads of its own: the vault makes its callers wait, and the engine's thread
must never wait.

What was opened is handed to the flow and kept by nobody here.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import structlog

from aegis_worker.domain.cards import Card
from aegis_worker.domain.outcomes import Declined, NotSent
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.errors import CannotUnseal, CardGone, CodeGone, VaultUnavailable
from aegis_worker.gateways.kit.flows import OpenCard
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import VAULT_OPENED

log = structlog.get_logger(__name__)

# The vault is asked for so many cards at once. A card takes about a millisecond.
_AT_ONCE = 4
# Waits for the vault. Raises CardGone, CodeGone, CannotUnseal or VaultUnavailable.
OpensCard: TypeAlias = Callable[[OpenCard], Card]
Opened: TypeAlias = Card | Declined | NotSent


def no_vault(card: OpenCard) -> Card:
    """For a process that can open no cards. Raises VaultUnavailable."""
    raise VaultUnavailable("this process has no card vault")


class Opener:
    """Has cards opened. Thread-safe; its threads start with the first card, and anew in a process that was forked."""

    def __init__(self, opens_card: OpensCard = no_vault) -> None:
        self._opens_card = opens_card
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._process_id = 0

    def begin(self, card: OpenCard, told: Callable[[Opened], None], *, deadline: float) -> None:
        """Have the card opened, and `told` called with it on another thread, by the `deadline` (monotonic) or a little
        later. It must not raise.
        """
        self._running().submit(self._tell, card, told, deadline)

    def _tell(self, card: OpenCard, told: Callable[[Opened], None], deadline: float) -> None:
        try:
            opened = self._opened(card, deadline)
            METER.increment(VAULT_OPENED, word_of_opened(opened))
            told(opened)
        except Exception as error:
            # Its text could quote what the flow was about to send.
            log.error("what was to be done with a card broke", error=type(error).__name__)

    def _opened(self, card: OpenCard, deadline: float) -> Opened:
        if time.monotonic() >= deadline:
            return NotSent("the card vault had no time for it", kind=NotSentKind.VAULT)
        try:
            return self._opens_card(card)
        except VaultUnavailable as problem:
            # The payment's merchant reads the reason, and is not to be told where the vault's stores are.
            log.warning("the card vault does not answer", token=card.token, because=str(problem))
            return NotSent("the card vault does not answer", kind=NotSentKind.VAULT)
        except CodeGone as problem:
            return Declined("security_code_gone", "", str(problem))
        except CardGone as problem:
            return Declined("card_gone", "", str(problem))
        except CannotUnseal as problem:
            log.error("a card can't be opened", token=card.token, because=str(problem))
            return Declined(
                "vault_misconfigured", "", "the card vault can't open the card with the keys it has"
            )
        except Exception as error:
            log.error("the card vault broke", token=card.token, error=type(error).__name__)
            return NotSent(f"the card vault raised {type(error).__name__}", kind=NotSentKind.VAULT)

    def _running(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None or self._process_id != os.getpid():
                self._threads, self._process_id = ThreadPoolExecutor(_AT_ONCE, "vault"), os.getpid()
            return self._threads


def word_of_opened(opened: Opened) -> str:
    """What came of opening a card, as the metric counts it."""
    if isinstance(opened, Declined):
        return opened.code
    return "unavailable" if isinstance(opened, NotSent) else "opened"
