"""`aegis status`: how a payment stands."""

from __future__ import annotations

import click

from aegis_api.ops_bodies import decision_body
from aegis_api.representations import job_body, payment_body
from aegis_worker.queries.sentences import of_attempt, of_error

from .installation import opened_database
from .look_up import Found, look_up
from .output import examples, json_option, print_facts, print_json


@click.command(
    name="status",
    epilog=examples(
        """
        aegis status pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5
        aegis status job_0199f5c8b2a17d01b6a7b0a1c2d3e4f5 --json
        """
    ),
)
@click.argument("id_", metavar="ID")
@json_option
def command(id_: str, as_json: bool) -> None:
    """Show a payment and its job, by the id of either, as the database has them."""
    with opened_database() as database:
        found = look_up(database, id_)
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
        last = found.attempts[-1]
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


def print_payment(found: Found) -> None:
    """The payment, with what an operator wants to know first."""
    payment = found.stored.payment
    action = payment.next_action
    print_facts(
        "Payment",
        {
            "id": payment.id,
            "merchant": payment.merchant_id,
            "state": payment.state.value,
            "certainty": None if payment.certainty == "known" else payment.certainty,
            "amount": payment.amount,
            "method": payment.payment_method["type"],
            "reference": payment.reference,
            "gateway": payment.gateway,
            "gateway's id": payment.gateway_ref,
            "error": of_error(payment.last_error),
            "advice": payment.last_error and payment.last_error["advised_action"],
            "next action": action and action.get("url"),
            "accepted (UTC)": found.stored.created_at,
            "changed (UTC)": found.stored.updated_at,
        },
    )


def print_decision(found: Found) -> None:
    """What a person decided that no gateway has confirmed, or one contradicted, where there is such a thing."""
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
    """The job, where there is one."""
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
