"""Payment methods of cards that a vault holds."""

from __future__ import annotations

from typing import Any

from aegis_worker.lab.conformance.numbered import METHOD

FINGERPRINT = METHOD["fingerprint"]


def vaulted(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The payment method of a card of the vault, the `number`th of its tokens."""
    return {**METHOD, "token": f"{METHOD['token'][:-4]}{number:04}", **changes}
