"""What it means that a look-up finds nothing. Pure.

"Not found" now is no proof: the call may still be on its way, or the look-up lag behind it. What may follow depends on the
gateway: with idempotency keys the same call may be repeated while it remembers them; after that, absence is believed
when several look-ups, spread over the gateway's absence window and all after the last send, have found nothing. A charge
at a gateway without keys is never believed to be absent: nothing would stop the lost call from arriving after all.
"""

from __future__ import annotations

from enum import Enum, auto

from aegis_worker.domain.outcomes import Operation
from aegis_worker.persistence.mapping import Attempt

from .work import Work, request_for

# A gateway that has idempotency keys gets the same key and body again at most this often.
MAX_SENDS = 5
# Answers of absence that are needed, spread over the gateway's absence window, before "not found" is believed.
ABSENCE_ANSWERS = 3


class Missing(Enum):
    """What follows from one more look-up that found nothing."""

    SEND_AGAIN = auto()
    ASK_AGAIN = auto()
    ABSENT = auto()
    ASK_A_PERSON = auto()


def after_not_found(work: Work, attempt: Attempt) -> Missing:
    """What follows; `attempt` as it stood before this look-up."""
    if attempt.status == "NOT_SENT" and attempt.sends < MAX_SENDS:
        return Missing.SEND_AGAIN  # nothing has left yet, so this is no repeat
    if _may_send_again(work, attempt):
        return Missing.SEND_AGAIN
    if not _is_absent(work, attempt):
        return Missing.ASK_AGAIN
    if attempt.operation is Operation.PROCESS and not _has_keys(work, attempt):
        return Missing.ASK_A_PERSON
    return Missing.ABSENT


def _has_keys(work: Work, attempt: Attempt) -> bool:
    return work.route.capabilities[attempt.gateway].key_lifetime_s > 0


def _may_send_again(work: Work, attempt: Attempt) -> bool:
    """The same key and body, at the same gateway, well inside the time for which it remembers keys."""
    capabilities = work.route.capabilities[attempt.gateway]
    return (
        attempt.status in ("SENT", "UNKNOWN")
        and attempt.sends < MAX_SENDS
        and attempt.age_s < capabilities.key_lifetime_s / 2
        and not (attempt.outcome or {}).get("stored")
        and attempt.request_hash == request_for(work, attempt.operation, attempt.number).fingerprint()
    )


def _is_absent(work: Work, attempt: Attempt) -> bool:
    window_s = work.route.capabilities[attempt.gateway].absence_window_s
    spread_s = attempt.not_found_age_s or 0.0
    return attempt.not_found_count + 1 >= ABSENCE_ANSWERS and spread_s >= window_s
