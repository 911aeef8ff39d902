"""How far time may jump: to just before and just after every moment at which something is decided otherwise. Pure.

The moments come from what stands in the tables, at the gateways and in the workers' hands, and from the configuration.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime

from aegis_worker.domain.charges import own_charge
from aegis_worker.domain.entities import EntityStatus
from aegis_worker.domain.holds import ASKED_FOR
from aegis_worker.domain.transitions import State
from aegis_worker.pipeline.operations.refund import SETTLED_WITHIN_S
from aegis_worker.pipeline.work import SendAgain

from .ledger import Ledger
from .rows import Rows
from .setups import EPOCH_S, Configuration
from .world import World


def jumps(world: World, configuration: Configuration) -> tuple[float, ...]:
    """By how many seconds time may jump, rising."""
    moments = {*_of_rows(world.rows.value, configuration)}
    for ledger in world.ledgers:
        moments.update(_of_ledger(ledger.value))
        if any(hand.value.asleep and hand.value.point == "call" for hand, _ in world.hands):
            moments.update(_of_keys(ledger.value, configuration))
    for hand, clock in world.hands:
        moments.update(moment - clock for moment in _of_hand(hand.value, configuration))
    targets = {moment + beside for moment in moments if math.isfinite(moment) for beside in (-1.0, 1.0)}
    return tuple(sorted(target for target in targets if target > 0))


def _of_rows(rows: Rows, configuration: Configuration) -> Iterator[float]:
    job = rows.job
    if job is not None and job.status == "running":
        yield job.lease_until
    if job is not None and not rows.attempts:
        yield job.made_at + configuration.policy.route_wait_s
    ends_at = (rows.payment.next_action or {}).get("expires_at")
    if ends_at is not None:
        yield datetime.fromisoformat(ends_at).timestamp() - EPOCH_S
    if rows.payment.state is State.AUTHORIZED and rows.payment.capture_before is not None:
        over_at = datetime.fromisoformat(rows.payment.capture_before).timestamp() - EPOCH_S
        yield from (over_at, over_at + ASKED_FOR.total_seconds())
    yield from _of_settling(rows, configuration)
    for row in rows.attempts[-2:]:
        attempt = row.attempt
        if not attempt.status.is_open:
            continue
        able = configuration.gateway(attempt.gateway).capabilities
        kept_s = able.keeps_key_s(attempt.operation)
        if kept_s:
            yield attempt.sent_at_s + kept_s / 2
            yield attempt.sent_at_s + kept_s
        since = attempt.sent_at_s if attempt.first_not_found_at_s is None else attempt.first_not_found_at_s
        yield since + able.absence_window_s


def _of_settling(rows: Rows, configuration: Configuration) -> Iterator[float]:
    """When a refund has waited for as long as it does for its charge to be settled."""
    own = own_charge(rows.payment, [row.attempt for row in rows.attempts])
    charge = None if own is None else rows.attempts[own].attempt
    if charge is None or not configuration.gateway(charge.gateway).capabilities.refunds_when_settled:
        return
    if any(row.entity.status in (EntityStatus.REQUESTED, EntityStatus.WAITING) for row in rows.entities):
        yield charge.sent_at_s + SETTLED_WITHIN_S


def _of_ledger(ledger: Ledger) -> Iterator[float]:
    for late in ledger.on_its_way:
        yield late.until


def _of_keys(ledger: Ledger, configuration: Configuration) -> Iterator[float]:
    """When the gateway forgets a key, under which a frozen call is still to leave."""
    able = configuration.gateway(ledger.name).capabilities
    operations = {entry.key: entry.operation for entry in ledger.entries}
    for kept in ledger.kept:
        if kept.key in operations:
            yield kept.at + able.keeps_key_s(operations[kept.key])


def _of_hand(hand: object, configuration: Configuration) -> Iterator[float]:
    held = getattr(hand, "held", None)
    if held is None:
        yield configuration.lease_s
        return
    yield held.work.held_until_s
    if held.work.attempts:
        yield held.work.held_until_s - configuration.gateway(held.work.subject.gateway).slowest_call_s
    if isinstance(held.step, SendAgain):
        yield held.step.until_s
