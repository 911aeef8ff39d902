"""What it means that a look-up finds nothing. Pure.

"Not found" now is no proof: the call may still be on its way, or the look-up lag behind it. What may follow depends on the
gateway: with idempotency keys, or a token that pays once, the same call may be repeated while it remembers them; after
that, absence is believed when several look-ups, spread over the gateway's absence window and all after the last send, have
found nothing. A charge with neither is never believed to be absent: nothing would stop the lost call from arriving after
all.
"""

from __future__ import annotations

import math
from enum import Enum, auto

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.cards import is_vaulted
from aegis_worker.domain.instruments import token_for
from aegis_worker.domain.outcomes import charges
from aegis_worker.gateways.requests import GatewayRequest

from ..work import Work
from .requests import request_for

# A gateway that has idempotency keys gets the same key and body again at most this often.
MAX_SENDS = 5
# Answers of absence that are needed, spread over the gateway's absence window, before "not found" is believed.
ABSENCE_ANSWERS = 3


# What a gateway without look-ups has taken in is a person's after so long: as long as Adyen delivers an event again.
EVENT_COMES_WITHIN_S = 30 * 86_400.0


class Missing(Enum):
    """What follows from one more look-up that found nothing."""

    SEND_AGAIN = auto()
    ASK_AGAIN = auto()
    ABSENT = auto()
    ASK_A_PERSON = auto()


def after_not_found(
    work: Work,
    attempt: Attempt,
    asked_at_s: float,
    *,
    may_repeat: bool = True,
    payer_has_paid: bool = False,
) -> Missing:
    """What follows; `attempt` as it stood before this look-up, which left at `asked_at_s`.

    `may_repeat`: False where the call is not wanted any more. `payer_has_paid`: see `NotFound`; such a call is repeated
    as long as its gateway is asked about it.
    """
    if may_repeat and attempt.status == "NOT_SENT" and attempt.sends < MAX_SENDS:
        return Missing.SEND_AGAIN  # nothing has left yet, so this is no repeat
    if may_repeat and _may_send_again(work, attempt, math.inf if payer_has_paid else MAX_SENDS):
        return Missing.SEND_AGAIN
    if (may_repeat and payer_has_paid) or not _is_absent(work, attempt, asked_at_s):
        return Missing.ASK_AGAIN
    if charges(attempt.operation) and (not _has_keys(work, attempt) or _is_consumed(work, attempt)):
        return Missing.ASK_A_PERSON
    return Missing.ABSENT


def may_repeat_unasked(work: Work, attempt: Attempt) -> bool:
    """Whether a call may be repeated under its key that its gateway can't be asked about."""
    never_left = attempt.status == "NOT_SENT" and attempt.sends < MAX_SENDS
    return never_left or _may_send_again(work, attempt)


def pays_once_without_key(work: Work, attempt: Attempt) -> bool:
    """Whether only its token keeps the charge from being made twice."""
    able = work.route.capabilities[attempt.gateway]
    return able.keeps_key_s(attempt.operation) == 0 and _has_keys(work, attempt)


def repeat_until_s(work: Work, attempt: Attempt) -> float:
    """Until when the same call may leave once more: well inside the time for which its gateway remembers the key."""
    return attempt.sent_at_s + keeps_key_s(work, attempt) / 2


def _has_keys(work: Work, attempt: Attempt) -> bool:
    return keeps_key_s(work, attempt) > 0


def _is_consumed(work: Work, attempt: Attempt) -> bool:
    """Whether a repeat was told that its token has paid already: by the lost call, perhaps, whatever is not found."""
    return attempt.sends > 1 and bool(attempt.outcome.stored) and pays_once_without_key(work, attempt)


def keeps_key_s(work: Work, attempt: Attempt) -> float:
    """How long its gateway remembers the call, under its key or by its token; 0 where it does not."""
    method = work.payment.terms.payment_method
    # The vault's token is none that the gateway could know again.
    token = None if is_vaulted(method) else token_for(method, attempt.gateway)
    return work.route.capabilities[attempt.gateway].keeps_key_s(attempt.operation, token)


def _may_send_again(work: Work, attempt: Attempt, most_sends: float = MAX_SENDS) -> bool:
    """The same key and body, at the same gateway, well inside the time for which it remembers keys."""
    return (
        attempt.status in ("SENT", "UNKNOWN")
        and attempt.sends < most_sends
        # Sent in the future: PostgreSQL's clock was set back, and nobody knows how old the key is.
        and attempt.sent_at_s <= work.now_s < repeat_until_s(work, attempt)
        and not attempt.outcome.stored
        and attempt.request_hash == _same_call(work, attempt).fingerprint()
    )


def _same_call(work: Work, attempt: Attempt) -> GatewayRequest:
    return request_for(work, attempt.operation, attempt.number, attempt.gateway)


def _is_absent(work: Work, attempt: Attempt, asked_at_s: float) -> bool:
    window_s = work.route.capabilities[attempt.gateway].absence_window_s
    # Not until now: an answer tells what its gateway knew when it was asked, however late it is read.
    first_s = attempt.first_not_found_at_s
    spread_s = 0.0 if first_s is None else asked_at_s - first_s
    return attempt.not_found_count + 1 >= ABSENCE_ANSWERS and spread_s >= window_s
