"""Payers who dispute what they were charged: what the gateways' ledgers say of it, held against what we say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from aegis_worker.audit.violations import Violation
from aegis_worker.lab.demo.ledgers import Charge

ROLE = "disputed by its payer"
TOKENS = ("tok_dispute", "tok_dispute_won_1", "tok_dispute_lost_1")

_OURS = "SELECT gateway, gateway_ref, payment_id, amount_minor, status FROM disputes"

# By gateway and its id of the dispute: the payment, the amount in minor units, and the status.
Disputes = dict[tuple[str, str], tuple[str | None, int, str]]


def ours(connection: Connection) -> Disputes:
    """The disputes that we know."""
    rows = connection.exec_driver_sql(_OURS)
    return {(row.gateway, row.gateway_ref): (row.payment_id, row.amount_minor, row.status) for row in rows}


def theirs(charges: Iterable[Charge]) -> Disputes:
    """The disputes in the ledgers of the gateways."""
    return {
        (charge.gateway, dispute.id): (charge.payment_id, dispute.amount, dispute.status)
        for charge in charges
        for dispute in charge.disputes
    }


def differing(known: Disputes, booked: Disputes) -> Iterator[Violation]:
    """I3 of disputes: each that a gateway has is known as it stands there, and no other."""
    for place in sorted(known.keys() | booked.keys()):
        we_say, it_says = known.get(place), booked.get(place)
        if we_say != it_says:
            payment_id = (we_say or it_says or (None,))[0]
            evidence = {"gateway": place[0], "dispute": place[1], "we say": we_say, "it says": it_says}
            yield Violation("I3", payment_id or "", "disputed otherwise than we say", evidence)
