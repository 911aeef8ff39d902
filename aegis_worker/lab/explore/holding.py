"""Funds that are held end by themselves: the sweep's looks at them as moves, and a gateway that releases them early."""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec.structs import replace

from aegis_worker.domain.entities import Entity, EntityKind
from aegis_worker.domain.transitions import State

from .explorer import Explorer
from .holds import look_of
from .moves import Move, Step
from .releases import may_release_early, released
from .rows import Rows, with_job
from .rows_orders import FIRST_CHECK_S, EntityRow, new_order
from .world import World


def looks(explorer: Explorer, world: World) -> Iterator[Step]:
    """`hold_rows.open_looks`, and the time until then, where no job is open."""
    rows = world.rows.value
    due_at = rows.hold_due_at
    if due_at is None or rows.job is not None or world.is_awake:
        return
    checks = [row.check_at for row in rows.entities if row.check_at is not None]
    if due_at > 0:
        if due_at < min(checks, default=math.inf):
            yield Step(Move("time", s=due_at), 0, explorer.later(world, due_at))
        return
    release_before_s = explorer.configuration.release_before_s
    after = explorer.once(
        ("look", world.rows.number), lambda: explorer.rows(looked_after(rows, release_before_s))
    )
    yield Step(Move("look"), 0, world._replace(rows=after))


def looked_after(rows: Rows, release_before_s: float) -> Rows:
    """The tables after the sweep has looked after what is held and due."""
    if rows.payment.state is not State.AUTHORIZED:
        return replace(rows, hold_due_at=None)
    look, next_in_s = look_of(rows.payment, release_before_s)
    rows = replace(rows, hold_due_at=next_in_s)
    if look.what != "release":
        return with_job(rows, "hold", "payments", 0.0, look.request())
    is_released = any(row.by_us for row in rows.entities)
    return rows if is_released or rows.payment.capturing_minor else _with_void(rows)


def _with_void(rows: Rows) -> Rows:
    """A void that no merchant ordered, once."""
    payment = rows.payment
    order = new_order(payment, rows.entities, EntityKind.VOID, payment.amount.minor)
    entity = Entity(order, payment.id, payment.amount.currency)
    row = EntityRow(entity, FIRST_CHECK_S, by_us=True)
    rows = replace(rows, entities=(*rows.entities, row))
    return with_job(rows, "void", "payments", 0.0, order.request())


def released_early(explorer: Explorer, world: World) -> Iterator[Step]:
    """For a fault: its gateway releases a hold before its end, as somebody can in the gateway's dashboard."""
    for place, part in enumerate(world.ledgers):
        held = may_release_early(part.value)
        if held is None:
            continue
        ledgers = list(world.ledgers)
        ledgers[place] = explorer.ledger(released(part.value, held))
        yield Step(Move("releases", part.value.name), 1, world._replace(ledgers=tuple(ledgers)))
