"""`aegis status`: the state of a payment."""

from __future__ import annotations

from collections.abc import Sequence

import click

from aegis_worker.queries.payments import StoredPayment
from aegis_worker.queries.sentences import of_attempt, of_error
from aegis_worker.terminal.amounts import amount_facts
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.look_up import MOST_LISTED, Found, look_up, payments_of
from aegis_worker.terminal.output import (
    examples,
    json_option,
    plain,
    print_facts,
    print_json,
    print_table,
    remark,
)
from aegis_worker.views.decisions import decision_body
from aegis_worker.views.jobs import job_body
from aegis_worker.views.payments import payment_body

from .keys import merchant_id


@click.command(
    name="status",
    epilog=examples(
        """
        aegis status pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5
        aegis status job_0199f5c8b2a17d01b6a7b0a1c2d3e4f5 --json
        aegis status order-1042 --merchant shop    by the merchant's own reference
        aegis status ch_8c1f                       by a gateway's reference; a customer's id or an attempt's key do as well
        aegis status last4:4242                    also error:stolen_card and metadata.cart:c-81, seconds behind
        """
    ),
)
@click.argument("id_", metavar="ID|REFERENCE|…")
@click.option(
    "--merchant", callback=merchant_id, help="With a reference: show only this merchant's payments."
)
@json_option
def command(id_: str, merchant: str | None, as_json: bool) -> None:
    """Show a payment and its job from the database: by the id of either, by the payment's reference, or by whatever else
    names it.

    If several payments are meant (of several merchants, or after one that failed), they are listed instead, the newest 50.
    """
    with opened_database() as database:
        carrying = payments_of(database, id_, merchant_id=merchant)
        if len(carrying) > 1:
            _list(id_, carrying, as_json)
            return
        known = carrying[0].payment.id if carrying else id_
        found = look_up(database, known, tried=", and no payment with that reference")
    if as_json:
        stored = found.stored
        payment = payment_body(stored.payment, stored.created_at, stored.updated_at)
        print_json(
            {
                "payment": payment,
                "job": found.job and job_body(found.job),
                "decision": decision_body(found.decision),
            }
        )
        return
    print_payment(found)
    print_job(found)
    print_decision(found)
    if found.attempts:
        last = found.attempts[-1].attempt
        print_facts(
            "Last call",
            {
                "gateway": last.gateway,
                "operation": last.operation,
                "status": last.status,
                "meaning": of_attempt(last),
                "asked about": f"{last.checks} times" if last.checks else None,
            },
        )


def _list(reference: str, carrying: Sequence[StoredPayment], as_json: bool) -> None:
    if as_json:
        bodies = [
            {
                "merchant_id": stored.payment.merchant_id,
                **payment_body(stored.payment, stored.created_at, stored.updated_at),
            }
            for stored in carrying
        ]
        print_json({"reference": reference, "payments": bodies})
        return
    rows = [
        (
            stored.payment.id,
            stored.payment.merchant_id,
            stored.payment.state.value,
            stored.payment.amount,
            stored.created_at,
        )
        for stored in carrying
    ]
    print_table(
        f"Payments found by {plain(reference)}",
        ("id", "merchant", "state", "amount", "accepted (UTC)"),
        rows,
    )
    more = " (there may be more)" if len(carrying) == MOST_LISTED else ""
    remark(f"Several payments carry it{more}: `aegis status ID` shows one.")


def print_payment(found: Found) -> None:
    """Print the payment, beginning with what an operator wants to know first."""
    payment = found.stored.payment
    action = payment.next_action
    body = payment_body(payment, found.stored.created_at, found.stored.updated_at)
    print_facts(
        "Payment",
        {
            "id": payment.id,
            "merchant": payment.merchant_id,
            "state": payment.state.value,
            "certainty": None if payment.certainty == "known" else payment.certainty,
            "amount": payment.amount,
            **amount_facts(body["amounts"], body["currency"], body["amount"]),
            "method": payment.payment_method["type"],
            "reference": payment.reference,
            "scheduled for (UTC)": payment.terms.scheduled_at,
            "gateway": payment.gateway,
            "gateway's id": payment.gateway_ref,
            "error": of_error(payment.last_error),
            "advice": payment.last_error and payment.last_error["advised_action"],
            "next action": action and action["type"],
            "accepted (UTC)": found.stored.created_at,
            "changed (UTC)": found.stored.updated_at,
        },
    )


def print_decision(found: Found) -> None:
    """Print a person's decision that no gateway has confirmed or that one has contradicted, if there is one."""
    decision = found.decision
    if decision is None:
        return
    print_facts(
        "Decision",
        {
            "resolution": decision.resolution.replace("_", " "),
            "by": decision.actor,
            "reason": decision.reason,
            "evidence": decision.evidence,
            "made (UTC)": decision.made_at,
            "takes effect (UTC)": decision.takes_effect_at if decision.stands else None,
            "refused (UTC)": decision.refused_at,
            "because": decision.refused_because,
        },
    )


def print_job(found: Found) -> None:
    """Print the job, if there is one."""
    job = found.job
    if job is None:
        return
    print_facts(
        "Job",
        {
            "id": job.id,
            "operation": job.operation,
            "status": job.status,
            "because": job.reason,
            "due (UTC)": job.run_at if job.status in ("queued", "waiting") else None,
            "workers lost": job.claim_count or None,
            "ended (UTC)": job.finished_at,
        },
    )
