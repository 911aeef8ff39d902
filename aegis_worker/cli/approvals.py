"""`aegis approvals`: what one person asked for and a second one has to approve."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import click

from aegis_worker.domain.approvals import APPROVAL_STATUSES
from aegis_worker.domain.money import Money
from aegis_worker.people import approving, asking
from aegis_worker.people.parts import Approval, TwoPersonParts
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import cli_actor, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, print_table, remark
from aegis_worker.views.approvals import approval_body
from aegis_worker.wiring.gateways import configured_gateways
from aegis_worker.wiring.review import review_parts, two_person_parts

_reason = click.option(
    "--reason", required=True, help="The reason, in 3 to 500 characters; kept in the audit log."
)


@click.group(
    name="approvals",
    epilog=examples(
        """
        aegis approvals list --status asked
        aegis approvals show apr_0199f5…
        aegis approvals approve apr_0199f5… --seen 6f1d… --reason "I have seen the ticket"
        aegis approvals refuse apr_0199f5… --reason "the parcel was delivered"
        """
    ),
)
def command() -> None:
    """Show, approve and refuse what needs a second person (AEGIS_TWO_PERSON_ABOVE).

    Who asked can't approve. At a terminal a person is the user that the command runs as, on this host.
    """


@command.command(name="list", epilog=examples("aegis approvals list --status asked"))
@click.option("--status", type=click.Choice(APPROVAL_STATUSES), help="Show only those of this status.")
@click.option("--payment", "payment_id", metavar="ID", help="Show only those about this payment.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Show the newest N."
)
@json_option
def list_(status: str | None, payment_id: str | None, limit: int, as_json: bool) -> None:
    """Show what was asked for, newest first."""
    with opened_database() as database:
        found = asking.list_approvals(database, limit=limit, status=status, payment_id=payment_id)
    if as_json:
        print_json([approval_body(one) for one in found])
        return
    rows = [
        (one.id, one.status, _what(one), _amount(one), one.payment_id, one.asked_by, one.expires_at)
        for one in found
    ]
    print_table("Approvals", ("id", "status", "what", "amount", "payment", "asked by", "until (UTC)"), rows)


@command.command(epilog=examples("aegis approvals show apr_0199f5c8b2a17d01b6a7b0a1c2d3e4f5"))
@click.argument("approval_id", metavar="ID")
@json_option
def show(approval_id: str, as_json: bool) -> None:
    """Show all that was asked for, and the digest that approving it takes."""
    with opened_database() as database:
        approval = asking.get_approval(database, approval_id)
    _tell(approval, as_json)


@command.command(
    epilog=examples('aegis approvals approve apr_0199f5… --seen 6f1d… --reason "I have seen the ticket"')
)
@click.argument("approval_id", metavar="ID")
@click.option(
    "--seen", required=True, metavar="SHA256", help="The digest that `aegis approvals show` prints, whole."
)
@_reason
@json_option
@click.pass_context
def approve(ctx: click.Context, approval_id: str, seen: str, reason: str, as_json: bool) -> None:
    """Approve what another person asked for, and carry it out. Exits with 1 where it can't be done as it was asked."""
    with _opened() as parts:
        approved = approving.approve(parts, approval_id, actor=cli_actor(), reason=reason, seen=seen)
    _tell(approved, as_json)
    ctx.exit(1 if approved.status in ("failed", "expired") else 0)


@command.command(epilog=examples('aegis approvals refuse apr_0199f5… --reason "the parcel was delivered"'))
@click.argument("approval_id", metavar="ID")
@_reason
@json_option
def refuse(approval_id: str, reason: str, as_json: bool) -> None:
    """Refuse what was asked for, or take back what you asked for yourself."""
    with _opened() as parts:
        refused = approving.refuse(parts, approval_id, actor=cli_actor(), reason=reason)
    _tell(refused, as_json)


def tell_asked(approval: Approval, as_json: bool) -> None:
    """Say that what was asked for waits for a second person."""
    _tell(approval, as_json)
    if not as_json:
        remark("Nothing has changed yet: it waits for a second person (`aegis approvals`, or the console).")


@contextmanager
def _opened() -> Iterator[TwoPersonParts]:
    settings = load_settings()
    with opened_database() as database:
        # No hints, so that no Redis is needed: the sweep finds due jobs within seconds.
        gateways = partial(configured_gateways, settings, database)
        yield two_person_parts(settings, review_parts(settings, database, gateways, lambda queue: None))


def _tell(approval: Approval, as_json: bool) -> None:
    if as_json:
        print_json(approval_body(approval))
        return
    request = {name: value for name, value in approval.request.items() if value not in (None, "", False)}
    print_facts(
        "Approval",
        {
            "id": approval.id,
            "status": approval.status.replace("_", " "),
            "what": _what(approval),
            "amount": _amount(approval),
            "payment": f"{approval.payment_id} at version {approval.payment_version}",
            **{f"request: {name}": value for name, value in request.items() if name != "kind"},
            "asked by": approval.asked_by,
            "until": approval.expires_at,
            "decided by": approval.decided_by,
            "because": approval.decided_because,
            "not done because": approval.ended_because,
            "came of it": approval.result and str(dict(approval.result)),
            "sha256": approval.request_sha256.hex(),
        },
    )


def _what(approval: Approval) -> str:
    return str(approval.request.get("kind", approval.kind)).replace("_", " ")


def _amount(approval: Approval) -> str:
    return str(Money(approval.amount_minor, approval.currency))
