"""Sealing kept cards anew, so that an older key is needed no more. What is for a single payment is gone before that."""

from __future__ import annotations

from collections.abc import Callable

from .vault import Vault

BATCH = 500


def reseal(vault: Vault, advance: Callable[[int], None], *, batch: int = BATCH) -> int:
    """Seal every kept card with the newest key; how many there were. `advance` is told of each batch.

    Can be stopped and run again at any time, and while payments are made. Raises CannotUnseal at a card whose key is not
    in the ring, and VaultUnavailable.
    """
    after, resealed = "", 0
    while cards := vault.outdated(after=after, most=batch):
        resealed += vault.reseal(cards)
        after = cards[-1].token
        advance(len(cards))
    return resealed
