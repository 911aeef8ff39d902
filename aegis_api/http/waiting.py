"""`Prefer: wait=N` (RFC 7240): hold the answer until the payment is decided, for at most 10 s.

Waiting polls the payment's state and holds no database connection between the reads. It does hold the thread that
answers, so at most half of the threads of a process may wait at the same time. Further requests are answered at once,
without Preference-Applied.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.persistence.database import Database
from aegis_worker.queries.payments import get_state

LONGEST_WAIT_S = 10
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.25
_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)

# States at which waiting ends, because only the payer or the merchant can move the payment on, or nobody can.
DECIDED: frozenset[State] = TERMINAL | {State.REQUIRES_ACTION, State.AUTHORIZED}


def wanted_s(prefer: list[str]) -> int:
    """The seconds that the Prefer headers ask to wait, at most 10. 0 if they ask for no wait that we understand."""
    for preference in ",".join(prefer).split(","):
        found = _WAIT.fullmatch(preference.split(";", 1)[0].strip())
        if found:  # of several, the first wins (RFC 7240, section 2)
            return min(int(found.group(1)), LONGEST_WAIT_S)
    return 0


def until_decided(
    database: Database,
    owner: Owner,
    payment_id: str,
    *,
    wait_s: float,
    pause: Callable[[float], None] = time.sleep,
) -> State | None:
    """Wait at most `wait_s` for the payment to be decided. Returns the state last read. Raises DatabaseUnavailable."""
    end = time.monotonic() + wait_s
    pause_s = _FIRST_PAUSE_S
    while True:
        with database.read() as connection:
            state = get_state(connection, owner, payment_id)
        left_s = end - time.monotonic()
        if state is None or state in DECIDED or left_s <= 0:
            return state
        pause(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
