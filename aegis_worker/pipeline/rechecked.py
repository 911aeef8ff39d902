"""What the answer to a recheck means: whether the payment has to be asked about, and when the charge is asked about again.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Lookup,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.twins import new_twins
from aegis_worker.gateways.capabilities import Capabilities

# A charge is claimed for longer than the slowest batch takes, so that no two workers ask about it at once. So long is
# waited after a look-up without an answer, too.
PUT_OFF_S = 600.0
# What has to wait behind another job of its payment waits for this part of its age, and for so long at most. That job may
# be a person's for weeks, and its gateway would be asked all the time.
_PART_OF_AGE, _LONGEST_WAIT_S = 8, 21_600.0


def has_twin_that_is_not_shown(able: Capabilities, twin: str | None) -> bool:
    """Whether there may be a twin, `twin` saying why, at a gateway that shows none. Pure."""
    return twin is not None and not able.shows_twins


def is_news(status: AttemptStatus, known: Collection[str], answer: Outcome | Lookup) -> bool:
    """Whether the payment has to be asked about. `known`: the gateway's references that attempts of it have there. Pure.

    That a charge which stands is shown is no news, and a twin of it is. A charge of ours of another sum is a person's.
    """
    if isinstance(answer, Unknown):
        return bool(answer.shows)
    if new_twins(answer, known):
        return True
    if status is AttemptStatus.APPROVED:
        return isinstance(answer, Pending)
    return isinstance(answer, Approved | Pending | ActionRequired)


def is_left_in_doubt(
    ladder_s: Sequence[float], age_s: float, answer: Outcome | Lookup, sends: int, checks: int
) -> bool:
    """Whether a person has to hear that nobody could tell what became of the charge: its gateway was silent to the end, and
    no answer to its only call has refused it. Pure.

    A gateway that tells by events alone is never asked in vain: what no event tells of can't be known (design D14).
    """
    if not isinstance(answer, Unknown) or answer.kind is UnknownKind.NO_LOOK_UP:
        return False
    return _is_over(ladder_s, age_s) and (sends > 1 or checks > 0)


def _is_over(ladder_s: Sequence[float], age_s: float) -> bool:
    return age_s >= 2 * ladder_s[-1]


def _waits_s(age_s: float) -> float:
    return min(max(PUT_OFF_S, age_s / _PART_OF_AGE), _LONGEST_WAIT_S)


def after_recheck(
    ladder_s: Sequence[float], rechecks: int, age_s: float, answer: Outcome | Lookup, *, has_to_wait: bool
) -> dict[str, float | None]:
    """How often the charge was asked about by then, and in how many seconds it is asked about again, if at all. Pure.

    `age_s`: since the answer by which it was given up. `has_to_wait`: its payment is to be asked about, and can't be yet:
    the charge is not let go of until it is.
    """
    if has_to_wait:
        return {"rechecks": rechecks, "next_in_s": _waits_s(age_s)}
    if isinstance(answer, Unknown) and not answer.shows:
        return {"rechecks": rechecks, "next_in_s": None if _is_over(ladder_s, age_s) else PUT_OFF_S}
    done = rechecks + 1
    if done >= len(ladder_s):
        return {"rechecks": done, "next_in_s": None}
    return {"rechecks": done, "next_in_s": ladder_s[done] - ladder_s[done - 1]}
