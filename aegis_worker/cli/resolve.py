"""`aegis resolve`: a person decides about a payment, through the same use case as over HTTP."""

from __future__ import annotations

from functools import partial

import click

from aegis_worker.people.deciding import decide
from aegis_worker.people.parts import Approval
from aegis_worker.review.case import Kind
from aegis_worker.review.parts import Resolution
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import cli_actor, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json
from aegis_worker.views.decisions import resolved_body
from aegis_worker.wiring.gateways import configured_gateways
from aegis_worker.wiring.review import review_parts, two_person_parts

from .approvals import tell_asked
from .decision_options import in_options, refusals_in_options


@click.command(
    name="resolve",
    epilog=examples(
        """
        aegis resolve pay_0199f5… --charged --reason "in the settlement report of 20 Nov" --gateway-ref ch_8c1f
        aegis resolve pay_0199f5… --not-charged --reason "support ticket 4711: the gateway has no such charge"
        aegis resolve pay_0199f5… --succeeded --reason "the refund is in the dashboard" --gateway-ref re_5d20
        aegis resolve pay_0199f5… --ask-again --reason "their status page is green again"
        aegis resolve pay_0199f5… --not-charged --reason "ticket 4711" --evidence "their reply of 20 Nov, case 0815"
        aegis resolve pay_0199f5… --approve --reason "the customer has called from the number on file"
        aegis resolve pay_0199f5… --reject --reason "the same card paid for five accounts today"
        aegis resolve pay_0199f5… --withdraw --reason "it was another payment's charge"
        aegis resolve pay_0199f5… --rebuild --reason "row edited by hand, incident 12"
        """
    ),
)
@click.argument("payment_id", metavar="ID")
@click.option("--charged", "kind", flag_value="charged", help="The money moved.")
@click.option("--not-charged", "kind", flag_value="not_charged", help="No money moved: the payment fails.")
@click.option(
    "--succeeded", "kind", flag_value="succeeded", help="The capture, cancel or refund in doubt was done."
)
@click.option("--failed", "kind", flag_value="failed", help="It was not done, and is not going to be.")
@click.option("--ask-again", "kind", flag_value="ask_again", help="Ask the gateway once more.")
@click.option(
    "--approve", "kind", flag_value="approve", help="Let go on what was held back before it was sent."
)
@click.option(
    "--reject", "kind", flag_value="reject", help="Let what was held back fail: rejected_in_review."
)
@click.option("--rebuild", "kind", flag_value="rebuild", help="Set a frozen payment to what its events say.")
@click.option(
    "--withdraw", "kind", flag_value="withdraw", help="Take back a decision that has not taken effect yet."
)
@click.option("--reason", required=True, help="The reason, in 3 to 500 characters; kept in the audit log.")
@click.option("--gateway", help="With --charged: the gateway that charged, if it is not the latest one.")
@click.option(
    "--gateway-ref",
    help="With --charged or --succeeded: the gateway's id of it. AegisPay looks it up and checks it.",
)
@click.option(
    "--attempt", type=click.IntRange(1), help="With --charged: the number of the attempt that charged."
)
@click.option(
    "--evidence",
    help="Where others can check the decision, such as a link. Required if no gateway confirms it.",
)
@click.option(
    "--force", is_flag=True, help="Let the decision take effect at once, even if no gateway confirms it."
)
@click.option(
    "--version",
    "expected_version",
    type=int,
    help="Refuse the decision if the payment is not at this version.",
)
@json_option
def command(
    payment_id: str,
    kind: Kind | None,
    reason: str,
    gateway: str | None,
    gateway_ref: str | None,
    attempt: int | None,
    evidence: str | None,
    force: bool,
    expected_version: int | None,
    as_json: bool,
) -> None:
    """Decide about a payment that waits for a person. `aegis reviews` lists them.

    A review is of the kind doubt or fraud. For fraud nothing was sent yet: --approve or --reject, and no gateway is asked.

    For a doubt AegisPay asks the gateways first, and refuses a decision that they contradict. A decision that no gateway
    confirms needs --evidence. It takes effect when a gateway confirms it, or after AEGIS_DECISION_WAIT_S without an answer,
    or at once with --force. The audit log keeps the decision, its reason and its result.

    Above AEGIS_TWO_PERSON_ABOVE it waits for a second person instead: `aegis approvals` shows and approves it.
    """
    if kind is None:
        raise click.UsageError(
            "say how: --charged, --not-charged, --succeeded, --failed, --ask-again, --approve, --reject, --rebuild or"
            " --withdraw"
        )
    settings = load_settings()
    with opened_database() as database:
        # No hints, so that no Redis is needed: the sweep finds due jobs within seconds.
        gateways = partial(configured_gateways, settings, database)
        parts = review_parts(settings, database, gateways, lambda queue: None)
        with refusals_in_options(payment_id):
            resolved = decide(
                two_person_parts(settings, parts),
                payment_id,
                Resolution(kind, reason, gateway, gateway_ref, attempt, evidence, force),
                actor=cli_actor(),
                expected_version=expected_version,
            )
    if isinstance(resolved, Approval):
        tell_asked(resolved, as_json)
        return
    body = resolved_body(kind, resolved)
    if as_json:
        print_json(body)
        return
    print_facts(
        "Resolved" if resolved.decision is None else "Recorded",
        {
            "payment": body["payment_id"],
            "resolution": kind.replace("_", " "),
            "gateways": "; ".join(f"{said['gateway']}: {said['says']}" for said in body["gateways_say"])
            or None,
            "checked": body["checked"] and body["checked"].replace("_", " "),
            "state": body["state"],
            "by force": "yes" if body["took_effect"] == "forced" else None,
            "so": in_options(body["note"]),
            **{name: f"{pair['row']} → {pair['history']}" for name, pair in body["rebuilt"].items()},
        },
    )
