"""The checks. Pure: each takes a subject that was read as of one moment, and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from aegis_worker.domain.charges import given_back_charges, told_charges
from aegis_worker.domain.holds import ASKED_FOR
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.replay import differences, fold, restored, snapshot, states
from aegis_worker.domain.transitions import State
from aegis_worker.errors import IllegalTransition

from .entity_checks import disputes_agree, entities_agree
from .subjects import Subject, events_of
from .violations import Bounds, Finding, Violation, gather

# A gateway may be down when its payer's time is over, and it has to say that nothing was paid.
_ACTION_STANDS_S = 86_400.0
# With so many other payments a person knows enough; each is named in every other one's finding.
_MOST_SHARED = 10
_OPEN = ("queued", "running", "waiting", "review")


def folded(subject: Subject) -> Payment:
    """The payment as its events tell it. Raises IllegalTransition or ValueError for an impossible history."""
    return fold(subject.payment, events_of(subject), _base(subject))


def violations(subject: Subject, bounds: Bounds) -> list[Violation]:
    """Everything that is wrong with one payment."""
    found = [finding for check in _CHECKS for finding in check(subject, bounds)]
    return gather(subject.payment.id, found)


def broken_history(subject: Subject) -> list[Finding]:
    """What is wrong with the events, and with the row and the snapshots that stand on them."""
    bounds = Bounds()
    return [*_row_is_the_fold(subject, bounds), *_snapshots_agree(subject, bounds)]


def net_charges(subject: Subject) -> list[str]:
    """The charges that gateways have told us of and that stand, as `gateway/number`, in the order sent."""
    calls = subject.attempts
    return [f"{calls[position].gateway}/{calls[position].number}" for position in told_charges(calls)]


def _charged_once(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    charges = net_charges(subject)
    if len(charges) > 1:
        yield Finding("I1", f"charged {len(charges)} times", {"charges": charges})


def _ends(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    payment = subject.payment
    opened = [job for job in subject.jobs if job["status"] in _OPEN]
    # Funds that are held wait for the merchant and need no job.
    may_rest = payment.is_terminal or payment.state is State.AUTHORIZED
    if not opened and not may_rest and subject.rested_s >= bounds.settles_after_s:
        yield Finding(
            "I2",
            f"{payment.state} and nobody works on it",
            {"rested_s": round(subject.rested_s), "jobs": [job["id"] for job in subject.jobs]},
        )
    for job in opened:
        if job["overdue_s"] is not None and job["overdue_s"] > bounds.overdue_after_s:
            what = "held past its lease" if job["status"] == "running" else "due"
            yield Finding("I2", f"job {what} for {job['overdue_s']:.0f} s", {"job": dict(job)})


def _time_is_over(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    """I2: neither an action nor a hold stands for ever after its end, unless a person or the gateway is to say more."""
    state, statuses = subject.payment.state, {job["status"] for job in subject.jobs}
    is_doubtful = any(call.status.is_in_doubt for call in subject.attempts)
    if "review" in statuses or is_doubtful or subject.payment.capturing_minor:
        return
    for in_state, over_s, may_last_s, what in (
        (State.REQUIRES_ACTION, subject.action_over_s, _ACTION_STANDS_S, "its payer's time is over"),
        (State.AUTHORIZED, subject.hold_over_s, ASKED_FOR.total_seconds(), "its hold is over"),
    ):
        if state is in_state and over_s is not None and over_s > may_last_s + bounds.overdue_after_s:
            yield Finding("I2", f"{state}, although {what} for {over_s:.0f} s", {"over_s": round(over_s)})


def _agrees(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    state, charges = subject.payment.state, net_charges(subject)
    said = {"state": state.value, "charges": charges}
    if state is State.SUCCESS and not charges and not given_back_charges(subject.attempts):
        yield Finding("I3", "SUCCESS, and no gateway has told us of a charge", said)
    # If an event has told of the late charge (PAYMENT_DUPLICATE_DETECTED), we know it, and its reversal has its own job.
    if state in (State.FAILURE, State.CANCELLED) and charges and not subject.late_charge_told:
        yield Finding("I3", f"{state}, and a gateway has told us of a charge", said)


def _its_own_references(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    for shared in subject.shared:
        summary = f"{shared['gateway_ref']} at {shared['gateway']} is also that of {shared['payment_id']}"
        yield Finding("I3", summary, {"shared": [dict(each) for each in subject.shared]})


def shared_among(subjects: Sequence[Subject]) -> list[Subject]:
    """The subjects, each with the references that it shares with others of them as well: a few, where there are many."""
    holders: dict[tuple[str, str], list[str]] = {}
    for subject in subjects:
        for reference in _references(subject):
            holders.setdefault(reference, []).append(subject.payment.id)
    return [_sharing(subject, holders) for subject in subjects]


def _sharing(subject: Subject, holders: Mapping[tuple[str, str], Sequence[str]]) -> Subject:
    known = {(shared["gateway"], shared["gateway_ref"]) for shared in subject.shared}
    every = (
        {"gateway": gateway, "gateway_ref": gateway_ref, "payment_id": other}
        for gateway, gateway_ref in sorted(_references(subject) - known)
        for other in holders[gateway, gateway_ref]
        if other != subject.payment.id
    )
    found = list(islice(every, _MOST_SHARED))
    return replace(subject, shared=[*subject.shared, *found]) if found else subject


def _references(subject: Subject) -> set[tuple[str, str]]:
    own = {(call.gateway, call.gateway_ref) for call in subject.attempts if call.gateway_ref}
    payment = subject.payment
    return own | (
        {(payment.gateway, payment.gateway_ref)} if payment.gateway and payment.gateway_ref else set()
    )


def _row_is_the_fold(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    """I4, and I6: a history that can't be folded was never legal."""
    payment = subject.payment
    if subject.told != subject.last_seq:
        numbers = {"events": subject.told, "last_seq": subject.last_seq}
        yield Finding("I4", "events are missing from the history", numbers, breaks_history=True)
        return
    try:
        events = events_of(subject)
        differing = differences(payment, events, _base(subject))
    except (IllegalTransition, ValueError) as error:
        history = [f"{told['seq']} {told['type']}" for told in subject.events]
        evidence = {"error": str(error), "history": history}
        yield Finding("I6", "the history is impossible", evidence, breaks_history=True)
        return
    if differing:
        sides = {name: {"row": row, "events": told} for name, (row, told) in differing.items()}
        summary = f"row and events differ in {', '.join(sides)}"
        yield Finding("I4", summary, {"differences": sides}, breaks_history=True)


def _snapshots_agree(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    """Check snapshots, if the history was read from its start. Otherwise _row_is_the_fold notices a wrong snapshot."""
    if subject.folds_from != 0 or not subject.snapshots:
        return
    kept = {taken["seq"]: taken["state"] for taken in subject.snapshots}
    try:
        right = {
            payment.version: snapshot(payment)
            for payment in states(subject.payment, events_of(subject))
            if payment.version in kept
        }
    except (IllegalTransition, ValueError):
        return  # the history is impossible, which _row_is_the_fold reports
    wrong = [seq for seq, state in kept.items() if right.get(seq) != state]
    if wrong:
        evidence = {str(seq): {"snapshot": kept[seq], "events": right.get(seq)} for seq in wrong}
        yield Finding("I4", "a snapshot is not the fold of the events before it", {"snapshots": evidence})


def _base(subject: Subject) -> Payment | None:
    if subject.folds_from == 0:
        return None
    return restored(subject.payment, subject.folds_from, subject.snapshots[-1]["state"])


def _outbox_is_in_order(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    """Delivered rows are removed, so the rows that are left must be the end of the history, and must not be old."""
    waiting = [row["seq"] for row in subject.outbox]
    if not waiting:
        return
    strangers = [seq for seq in waiting if seq > subject.last_seq]
    if strangers:
        yield Finding("I4", "the outbox holds events that never were", {"never_told": strangers})
    oldest = subject.outbox[0]
    left_early = sorted(set(range(oldest["seq"], subject.last_seq + 1)) - set(waiting))
    if left_early and not oldest["leased"] and oldest["age_s"] >= bounds.settles_after_s:
        yield Finding(
            "I4",
            f"events left the outbox before event {oldest['seq']}",
            {"waiting": waiting, "left_early": left_early},
        )
    if oldest["age_s"] > bounds.undelivered_after_s:
        yield Finding("I4", f"undelivered for {oldest['age_s']:.0f} s", {"oldest": dict(oldest)})


def _endpoints_hear_in_order(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    if subject.out_of_order:
        summary = "delivered to an endpoint before an earlier event"
        yield Finding("I5", summary, {"out_of_order": list(subject.out_of_order)})
    if subject.not_fanned_out:
        summary = "events without a delivery to an endpoint that was there"
        yield Finding("I5", summary, {"not_fanned_out": list(subject.not_fanned_out)})


def _one_key(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    if len(subject.keys) > 1:
        yield Finding("I7", f"accepted under {len(subject.keys)} keys", {"keys": list(subject.keys)})
    elif not subject.keys and subject.key_is_kept:
        yield Finding("I7", "accepted without a key, or its key is another payment's", {"keys": []})


_CHECKS = (
    _charged_once,
    _ends,
    _time_is_over,
    _agrees,
    _its_own_references,
    _row_is_the_fold,
    _snapshots_agree,
    entities_agree,
    disputes_agree,
    _outbox_is_in_order,
    _endpoints_hear_in_order,
    _one_key,
)
