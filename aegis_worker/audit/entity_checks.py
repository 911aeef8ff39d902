"""The checks of captures, refunds and disputes: what their rows say is what the payment's events say (I4). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aegis_worker.domain.dispute_statuses import sums
from aegis_worker.domain.entities import UNSETTLED, EntityStatus, told_of
from aegis_worker.domain.transitions import OF_DISPUTES

from .subjects import Subject, events_of
from .violations import Bounds, Finding


def entities_agree(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    """I4 of captures and refunds: their rows say what events say of them, and add up to the payment's amounts."""
    statuses = {row["id"]: row["status"] for row in subject.entities}
    try:
        told = dict(
            one for event in events_of(subject) if (one := told_of(event.type, event.data)) is not None
        )
    except ValueError:
        return  # an event of no known type, which _row_is_the_fold reports
    wrong = {
        id_: {"row": statuses.get(id_), "events": status.value}
        for id_, status in told.items()
        if statuses.get(id_) not in (UNSETTLED if status in UNSETTLED else (status,))
    }
    if wrong:
        yield Finding(
            "I4", f"captures or refunds that events tell otherwise: {', '.join(wrong)}", {"entities": wrong}
        )
    sums = _sums_of(subject)
    differing = {name: pair for name, pair in sums.items() if pair["row"] != pair["entities"]}
    if differing:
        yield Finding(
            "I4", f"captures and refunds do not add up to {', '.join(differing)}", {"sums": differing}
        )


def disputes_agree(subject: Subject, bounds: Bounds) -> Iterator[Finding]:
    """I4 of disputes: their rows say what their last events say, and add up to the payment's sums."""
    rows = {row["id"]: _standing(row) for row in subject.disputes}
    told = {
        event["data"]["dispute_id"]: _standing(event["data"])
        for event in subject.events
        if event["type"] in OF_DISPUTES
    }
    never_told = () if subject.folds_from else rows.keys() - told.keys()
    wrong = {id_ for id_, standing in told.items() if rows.get(id_) != standing} | set(never_told)
    if wrong:
        evidence = {id_: {"row": rows.get(id_), "events": told.get(id_)} for id_ in sorted(wrong)}
        yield Finding(
            "I4", f"disputes that events tell otherwise: {', '.join(evidence)}", {"disputes": evidence}
        )
    payment = subject.payment
    due = sums(payment, (row for row in subject.disputes if row["own_charge"]))
    differing = {
        name: {"row": getattr(payment, name), "disputes": minor}
        for name, minor in due.items()
        if getattr(payment, name) != minor
    }
    if differing:
        yield Finding("I4", f"disputes do not add up to {', '.join(differing)}", {"sums": differing})


def _standing(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("status", "amount_minor", "dispute_currency")}


def _sums_of(subject: Subject) -> dict[str, dict[str, int]]:
    def total(prefix: str, *statuses: EntityStatus) -> int:
        mine = (row for row in subject.entities if row["id"].startswith(prefix))
        return sum(row["amount_minor"] for row in mine if row["status"] in statuses)

    payment, done = subject.payment, EntityStatus.SUCCEEDED
    sums = {
        "capturing": (payment.capturing_minor, total("cap_", *UNSETTLED)),
        "refunding": (payment.refunding_minor, total("ref_", *UNSETTLED)),
        "refunded": (payment.refunded_minor, total("ref_", done)),
    }
    if any(row["id"].startswith("cap_") for row in subject.entities):
        sums["captured"] = (payment.captured_minor, total("cap_", done))
    return {name: {"row": row, "entities": entities} for name, (row, entities) in sums.items()}
