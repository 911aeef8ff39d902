"""Authentication: the bearer key of a request, and the merchant or operator whose key it is."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from threading import Lock

from flask import g

from aegis_worker.domain.modes import Owner
from aegis_worker.errors import InsufficientScope, InvalidApiKey
from aegis_worker.persistence.api_keys import Holder, Scope, authenticate, key_hash
from aegis_worker.persistence.database import Database

from .parts import asked, parts

# A process that has just seen a key accepts it for at most this long after it was revoked. Asking the database on
# every request would cost a statement each time.
_REMEMBER_S = 5.0
_MOST_REMEMBERED = 1024
_BEARER = re.compile(r"bearer +(aegis_(?:test|live|ops)_[A-Za-z0-9_-]{32,64})", re.IGNORECASE)


class KnownKeys:
    """Remembers key holders by the hash of their key: at most 1024, for at most 5 s each. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[bytes, tuple[Holder, float]] = OrderedDict()
        self._lock = Lock()

    def holder_of(self, key: str) -> Holder:
        """The holder of this key. Raises InvalidApiKey or DatabaseUnavailable. Unknown keys are never remembered."""
        name = key_hash(key)
        now = time.monotonic()
        with self._lock:
            known = self._known.get(name)
        if known is not None and now < known[1]:
            return known[0]
        holder = authenticate(self._database, key)
        with self._lock:
            self._known[name] = (holder, now + _REMEMBER_S)
            self._known.move_to_end(name)
            while len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
        return holder


def require_merchant() -> None:
    """Before each request of a blueprint: set `g.owner`, to whom everything belongs that the request may see and move.

    Raises InvalidApiKey, or InsufficientScope for an operator's key, because it belongs to no merchant whose payments
    it could make or see.
    """
    holder = _holder()
    if holder.role != "merchant" or holder.mode is None:
        raise InsufficientScope("this is an operator's key; payments need a merchant's")
    g.owner, g.scopes = Owner(holder.merchant_id, holder.mode), holder.scopes


def require_scope(scope: Scope) -> None:
    """In a request of a merchant: raises InsufficientScope unless its key was made with the scope."""
    if scope not in g.scopes:
        raise InsufficientScope(
            f"the key lacks the scope {scope} (`aegis keys create --scope {scope}` makes one with it)"
        )


def require_operator() -> None:
    """Before each request of a blueprint: set `g.operator` to the operator's key.

    Raises InvalidApiKey, or InsufficientScope for a merchant's key, because operators see every merchant's payments.
    """
    holder = _holder()
    if holder.role != "operator":
        raise InsufficientScope("this needs an operator's key (`aegis keys create --operator` makes one)")
    g.operator = holder


def require_merchant_or_operator() -> None:
    """Before each request of a blueprint: set `g.owner`. It is None for an operator, who sees everything.

    Raises InvalidApiKey.
    """
    holder = _holder()
    g.owner = None if holder.mode is None else Owner(holder.merchant_id, holder.mode)


def _holder() -> Holder:
    found = _BEARER.fullmatch(asked().environ.get("HTTP_AUTHORIZATION", "").strip())
    if found is None:
        raise InvalidApiKey("send Authorization: Bearer and an API key (`aegis keys create` makes one)")
    return parts().known_keys.holder_of(found.group(1))
