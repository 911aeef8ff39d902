"""`aegis doctor`'s check of the key ring: every key that something was sealed with is in it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from aegis_worker.persistence.sealed_rows import keys_in_use
from aegis_worker.sealing.ring import KeyRing

from .checks import Check, fail, ok


def key_ring(connection: Connection, ring: KeyRing) -> Iterator[Check]:
    """The ring, and the keys that rows still need."""
    in_use = keys_in_use(connection)
    missing = sorted(in_use.keys() - set(ring.ids))
    if missing:
        rows = sum(in_use[key] for key in missing)
        yield fail(
            "sealing keys",
            f"{rows} rows were sealed with {', '.join(missing)}, which the ring does not hold",
            "put the key back at the end of AEGIS_SEALING_KEYS; if it followed from an older AEGIS_SECRET, these rows "
            "can't be opened any more, and payers who were to act must pay anew",
        )
        return
    newest, *older = ring.ids
    needed = [key for key in older if key in in_use]
    still = f"; {', '.join(needed)} is still needed" if needed else ""
    yield ok("sealing keys", f"{newest} seals{still}")
