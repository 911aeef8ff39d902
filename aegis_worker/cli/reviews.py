"""`aegis reviews`: the payments that wait for a person."""

from __future__ import annotations

import click
from msgspec import to_builtins

from aegis_worker.domain.reviews import REVIEW_KINDS, ReviewKind
from aegis_worker.domain.screening import screening_of
from aegis_worker.queries.reviews import Waiting, list_reviews
from aegis_worker.queries.sentences import finding_in_words
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import examples, json_option, money, plain, print_json, print_table, remark
from aegis_worker.views.pages import list_body
from aegis_worker.views.reviews import review_body


@click.command(
    name="reviews",
    epilog=examples(
        """
        aegis reviews
        aegis reviews --kind fraud
        aegis reviews --limit 100 --after pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5
        """
    ),
)
@click.option(
    "--kind",
    type=click.Choice(REVIEW_KINDS),
    help="Only those of this kind. doubt: what happened at a gateway is in question. fraud: nothing was sent yet.",
)
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.option("--after", metavar="ID", help="Show the payments after this one.")
@json_option
def command(kind: ReviewKind | None, limit: int, after: str | None, as_json: bool) -> None:
    """Show the payments of all merchants that are in review or that the audit froze, oldest first."""
    with opened_database() as database, database.read() as connection:
        page = list_reviews(connection, limit=limit, after=after, kind=kind)
    bodies = [review_body(waiting) for waiting in page.rows]
    if as_json:
        print_json(list_body(bodies, page.next_cursor))
        return
    rows = [
        (
            body["payment_id"],
            waiting.kind,
            waiting.since,
            waiting.stored.payment.state.value,
            money(waiting.stored.payment.amount.minor, waiting.stored.payment.amount.currency),
            body["last_said"] and f"{body['last_said']['gateway']}: {body['last_said']['status']}",
            _why(waiting),
            _decided(waiting),
            ", ".join(body["resolutions"]),
        )
        for body, waiting in zip(bodies, page.rows, strict=True)
    ]
    columns = (
        "payment",
        "kind",
        "since (UTC)",
        "state",
        "amount",
        "gateway",
        "reason",
        "decided",
        "may be resolved as",
    )
    print_table("Waiting for a person", columns, rows)
    if rows:
        remark("`aegis explain ID` shows the evidence of one; `aegis resolve ID …` decides.")
    if page.next_cursor is not None:
        only = "" if kind is None else f" --kind {kind}"
        remark(f"There are more: aegis reviews{only} --after {page.next_cursor}")


def _why(waiting: Waiting) -> str:
    """Why a person has to look; of what was held back, what hooks and rules said."""
    screening = screening_of(waiting.stored.payment) if waiting.kind == "fraud" else None
    if screening is None:
        return waiting.reason
    said = "; ".join(finding_in_words(finding) for finding in to_builtins(screening.findings))
    until = waiting.security_code_until
    return (
        said
        if until is None
        else f"{said}; the card's security code is kept until {plain(until)} at the latest"
    )


def _decided(waiting: Waiting) -> str | None:
    """A person's decision that has not taken effect, and why it has not."""
    decision = waiting.decision
    if decision is None:
        return None
    what = f"{decision.resolution.replace('_', ' ')} by {decision.actor}"
    if not decision.stands:
        return f"{what}, refused: {decision.refused_because}"
    return f"{what}, takes effect when confirmed, or at {plain(decision.takes_effect_at)}"
