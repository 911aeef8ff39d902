"""What a payer brings back, as a move: at any time while it is waited for, more than once, and late. Kept as
`intake.confirm` and `persistence.confirm_rows` keep it.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from aegis_worker.domain.confirms import KeptConfirm
from aegis_worker.domain.transitions import State

from .asking import ask_now
from .explorer import Explorer
from .moves import Move, Step
from .rows import Rows
from .setups import Configuration
from .world import World

# The first costs nothing; whoever brings back something else after that makes a fault.
_MOST = 3


def confirmed(explorer: Explorer, world: World, left: int) -> Iterator[Step]:
    """The payer comes back, where that is taken now."""
    if not explorer.configuration.options.get("confirm"):
        return
    rows = world.rows.value
    cost = int(bool(rows.confirms))
    if cost > left or not _is_taken(rows, explorer.configuration):
        return
    after = explorer.once(("confirm", world.rows.number), lambda: explorer.rows(with_confirm(rows)))
    yield Step(Move("confirm", "merchant", str(len(rows.confirms) + 1)), cost, world._replace(rows=after))


def _is_taken(rows: Rows, configuration: Configuration) -> bool:
    gateway = rows.payment.gateway
    return (
        rows.payment.state is State.REQUIRES_ACTION
        and gateway is not None
        and configuration.gateway(gateway).capabilities.confirms
        and len(rows.confirms) < _MOST
        and not any(one.is_open for one in rows.confirms)
    )


def with_confirm(rows: Rows) -> Rows:
    """The tables with what the payer brought back, and the job due that hands it to the gateway."""
    if rows.job is None:
        rows = ask_now(rows, 0.0)
    job = rows.job
    if job is None:
        raise AssertionError("unreachable: it was given a job")
    number = len(rows.confirms) + 1
    if job.status != "running":
        job = replace(
            job, run_at=0.0, queue="payments", status="waiting" if job.status == "review" else job.status
        )
    job = replace(job, request={**(job.request or {}), "confirm": number})
    return replace(rows, job=job, confirms=(*rows.confirms, KeptConfirm(number, f"{number:064x}", True)))
