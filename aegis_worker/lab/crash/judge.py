"""What is wrong after a fault, by invariant: what we say, what the ledgers say, what the merchant was told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aegis_worker.audit.violations import Violation
from aegis_worker.domain.screening import Action
from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.lab.demo.ledgers import Charge, compare
from aegis_worker.lab.demo.roles import PLAIN, Role
from aegis_worker.lab.demo.sink import Arrivals

from .blame import STOPS
from .load import Answered

# The states in which nobody holds a payment back.
_WENT_ON = (State.PROCESSING, State.AUTHORIZED, State.SUCCESS)


def against_ledgers(payments: Sequence[Mapping[str, Any]], charges: Iterable[Charge]) -> Iterator[Violation]:
    """I1 and I3 against what the gateways' own books say, and I2: nothing is left open.

    A payment in review may have been charged, or not: that is what a person is asked.
    """
    charges = list(charges)
    in_review = {payment["id"] for payment in payments if payment["in_review"]}
    found = compare(payments, charges)
    taken = defaultdict(list)
    for charge in charges:
        taken[charge.payment_id].append(f"{charge.gateway}: {charge.kept} {charge.currency}")
    by_id = {payment["id"]: payment for payment in payments}
    for invariant, summary, ids in (
        ("I1", "charged more than once", found.charged_twice),
        ("I3", "charged, and we don't say SUCCESS", set(found.charged_not_success) - in_review),
        ("I3", "SUCCESS, and no gateway has charged that", found.success_not_charged),
        ("I3", "captured otherwise than we say", set(found.captures_differ) - in_review),
        ("I3", "released otherwise than we say", set(found.voids_differ) - in_review),
        ("I3", "ended, and a gateway still holds what we don't say", set(found.still_held) - in_review),
        ("I3", "refunded otherwise than we say", set(found.refunds_differ) - in_review),
        ("I2", "neither ended nor in review", set(found.unresolved) - in_review),
    ):
        for payment_id in ids:
            row = by_id.get(payment_id, {})
            shown = {name: row.get(name) for name in ("state", "job", "story")}
            evidence = {**shown, "charges": taken[payment_id]}
            yield Violation(invariant, payment_id, summary, evidence)


def against_sink(arrivals: Arrivals, last_seqs: Mapping[str, int]) -> Iterator[Violation]:
    """I5: an endpoint that dedupes on the event id has seen every event, in order per payment."""
    for payment_id, count in arrivals.missing(last_seqs).items():
        yield Violation("I5", payment_id, "webhooks never came", {"missing": count})
    for payment_id, count in arrivals.out_of_order().items():
        yield Violation("I5", payment_id, "webhooks came out of order", {"late": count})
    if arrivals.forged:
        yield Violation("I5", "", "webhooks with a wrong signature", {"forged": arrivals.forged})


def of_answers(
    answers: Iterable[Answered], payments: Iterable[Mapping[str, Any]], *, hooks_validate: bool = False
) -> Iterator[Violation]:
    """I7: every answer to one key names one payment, which is there; and I2: every post was answered in the end.

    `hooks_validate`: hooks may refuse a request. Those that do are told by themselves (`blame`).
    """
    known = {payment["id"] for payment in payments}
    of_key: dict[str, set[str]] = {}
    for answered in answers:
        if answered.payment_id is None and hooks_validate and answered.refused_by_hooks:
            continue
        if answered.payment_id is None:
            evidence = {"key": answered.order.key, "problem": answered.problem}
            yield Violation("I2", "", "a request was never accepted", evidence)
        else:
            of_key.setdefault(answered.order.key, set()).add(answered.payment_id)
    for key, ids in of_key.items():
        if len(ids) > 1:
            yield Violation(
                "I7", min(ids), "one key was answered with several payments", {"key": key, "ids": sorted(ids)}
            )
        for lost in sorted(ids - known):
            yield Violation("I2", lost, "accepted, and not in the database", {"key": key})


def of_endings(
    answers: Iterable[Answered], payments: Iterable[Mapping[str, Any]], roles: Iterable[Role]
) -> Iterator[Violation]:
    """I3, where gateways do as their scripts say: a payment that has ended has ended as its gateway decided.

    A payment that no configured gateway takes ends as FAILURE whatever its script, and so does one whose payer could not
    act in time, because what the shop is shown of the action was away. So may one for which hooks or rules demand 3-D
    Secure. What they stopped ends as they have it, but may not go on.
    """
    ends_as = {PLAIN: (State.SUCCESS,)} | {role.name: (role.ends_as, *role.may_end_as) for role in roles}
    by_id = {payment["id"]: payment for payment in payments}
    for payment_id, order in {a.payment_id: a.order for a in answers if a.payment_id}.items():
        payment, role = by_id.get(payment_id), order.role
        screened = None if payment is None else payment.get("screened")
        if payment is not None and screened in STOPS:
            if payment["state"] in _WENT_ON:
                evidence = {"state": payment["state"], "screened": screened}
                yield Violation("I3", payment_id, "stopped by a hook or rule, and went on", evidence)
            continue
        if payment is None or (screened == Action.REQUIRE_3DS and payment["state"] == State.FAILURE):
            continue
        if State(payment["state"]) not in TERMINAL or payment["state"] in ends_as[role]:
            continue
        error = payment["last_error"] or {}
        excused = {"no_eligible_gateway", *(("payer_abandoned",) if order.payer else ())}
        if error.get("code") not in excused:
            evidence = {"state": payment["state"], "what happened": role, "last_error": error}
            yield Violation("I3", payment_id, f"ended otherwise than {' or '.join(ends_as[role])}", evidence)
