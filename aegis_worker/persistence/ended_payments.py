"""Payments that nobody works on, with their charges that may stand, for the comparison with gateways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_worker.clock import clock_s
from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.charges import StandingCharge, hop_reference, own_charge, standing_charges
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputedCharge, StandingDispute
from aegis_worker.domain.entities import Entity
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment

from .attempt_rows import ATTEMPTS_AS_JSON, attempt_from_row
from .database import Database
from .entity_rows import ENTITIES_AS_JSON, entities_from_json
from .mapping import payment_from_row

_ENDED = f"""
SELECT p.*, ({ATTEMPTS_AS_JSON.format(payment_id="p.id")}) AS attempts,
    ({ENTITIES_AS_JSON.format(payment_id="p.id")}) AS entities,
    (SELECT json_agg(json_build_object('gateway', gateway, 'gateway_ref', gateway_ref, 'charge_ref', charge_ref,
        'account', account, 'status', status, 'amount_minor', amount_minor, 'currency', currency) ORDER BY id)
    FROM disputes WHERE payment_id = p.id) AS disputes
FROM payments p
WHERE p.id > %(after)s AND p.state IN ('SUCCESS', 'FAILURE', 'CANCELLED', 'AUTHORIZED')
    AND EXISTS (SELECT FROM attempts a WHERE a.payment_id = p.id AND a.operation = 'process')
ORDER BY p.id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class EndedPayment:
    """A payment that has ended or whose funds are held, and each of its charges that may stand at a gateway.

    `entities`: its captures, voids and refunds. `disputes`: as we know them.

    Charges that gateways looked for and did not find are included, because they may still appear late.
    """

    payment: Payment
    charges: Sequence[StandingCharge]
    entities: Sequence[Entity] = ()
    disputes: Sequence[StandingDispute] = ()


def ended_payments(database: Database, *, after: str, page: int) -> Iterator[list[EndedPayment]]:
    """Pages of such payments with ids after `after`; no connection is held between them. Raises DatabaseUnavailable."""
    while True:
        now_s = clock_s()
        with database.read() as connection:
            rows = connection.exec_driver_sql(_ENDED, {"after": after, "limit": page}).mappings().all()
        if not rows:
            return
        ended = [_ended(dict(row), now_s) for row in rows]
        yield [each for each in ended if each.charges]
        after = rows[-1]["id"]


def _ended(row: Mapping[str, Any], now_s: float) -> EndedPayment:
    payment = payment_from_row(row)
    calls = [attempt_from_row(attempt, now_s, now_s) for attempt in row["attempts"]]
    own = own_charge(payment, calls)
    standing = standing_charges(calls)
    charges = [_charge(calls, position, now_s, is_own=position == own) for position in standing]
    disputes = [_dispute(payment, told) for told in row["disputes"] or ()]
    return EndedPayment(payment, charges, entities_from_json(row["entities"]), disputes)


def _dispute(payment: Payment, told: Mapping[str, Any]) -> StandingDispute:
    charge = DisputedCharge(
        dispute_ref=told["gateway_ref"],
        charge_ref=told["charge_ref"],
        gateway=told["gateway"],
        account=told["account"],
        payment_id=payment.id,
        mode=payment.mode,
    )
    return StandingDispute(
        charge, DisputeStatus(told["status"]), Money(told["amount_minor"], told["currency"])
    )


def _charge(calls: Sequence[Attempt], position: int, now_s: float, *, is_own: bool) -> StandingCharge:
    charge = calls[position]
    return StandingCharge(
        gateway=charge.gateway,
        key=charge.gateway_key,
        gateway_ref=hop_reference(calls, charge),
        sent_ago_s=charge.sent_ago_s(now_s),
        is_own=is_own,
        account=charge.account,
    )
