"""A whole life: a charge from its acceptance on, and at any time what its merchant orders of it, in every order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.outcomes import charges

from .asking import ask_now
from .charge import Charge, rechecks
from .confirms import confirmed
from .contesting import contested, disputed_otherwise, is_all_known
from .events import told_of
from .explorer import Explorer
from .fates import settled_at_last
from .holding import looks
from .ledger import Ledger
from .moves import Move, Step
from .orders import placed, sweeps, word_of, wrong_with
from .rows import Rows
from .rows_orders import Wanted
from .scenarios import SCENARIOS
from .setups import Configuration
from .world import Part, World


class Life(Charge):
    """A payment from its acceptance to the end of all that was ordered of it."""

    def steps(self, explorer: Explorer, world: World, left: int) -> Iterable[Step]:
        """The next order of each kind, where it is taken; looks at what was given up or is not settled; for a fault, that
        somebody asks.
        """
        yield from rechecks(explorer, world, left)
        yield from told_of(explorer, world, left)
        yield from confirmed(explorer, world, left)
        yield from ordered(explorer, world)
        yield from sweeps(explorer, world)
        yield from looks(explorer, world)
        yield from contested(explorer, world, left)
        if left:
            rows = world.rows.value
            asked = explorer.once(("ask", world.rows.number), lambda: explorer.rows(ask_now(rows, 0.0)))
            if asked is not world.rows:
                yield Step(Move("ask", "merchant"), 1, world._replace(rows=asked))

    def is_at_rest(self, world: World) -> bool:
        """Nobody is at work, no job is to be done, and nothing is to be looked after."""
        rows = world.rows.value
        is_looked_after = rows.hold_due_at is None and all(row.check_at is None for row in rows.entities)
        is_settled = rows.job is not None or is_looked_after
        return super().is_at_rest(world) and is_settled and is_all_known(world)

    def judge(self, explorer: Explorer, world: World) -> tuple[str, ...]:
        """As a charge, and what was ordered of it as orders are."""
        rows, ledgers = world.rows.value, [ledger.value for ledger in world.ledgers]
        wrong = list(super().judge(explorer, world))
        if _is_its_own_charge_known(rows, ledgers):
            wrong += wrong_with(_without_voids(rows), ledgers, is_marked=bool(world.marks))
        wrong += disputed_otherwise(rows, ledgers)
        return tuple(dict.fromkeys(wrong))


def ordered(explorer: Explorer, world: World) -> Iterator[Step]:
    """What its merchant may order next: of each kind one after the other, and whichever kind first."""
    rows = world.rows.value
    for wanted in _next_of_each_kind(explorer.configuration, rows):
        word = word_of(wanted)
        after: Part[Rows] | None = explorer.once(
            ("order", word, world.rows.number),
            lambda wanted=wanted: (_placed(explorer, rows, wanted),),  # type: ignore[misc]
        )[0]
        if after is not None:
            yield Step(Move("order", "merchant", word), 0, world._replace(rows=after))


def _placed(explorer: Explorer, rows: Rows, wanted: Wanted) -> Part[Rows] | None:
    after = placed(explorer.configuration, rows, wanted)
    return None if after is None else explorer.rows(after)


def _next_of_each_kind(configuration: Configuration, rows: Rows) -> Iterator[Wanted]:
    for kind in EntityKind:
        wanted = [one for one in configuration.orders if one.kind is kind]
        made = sum(row.entity.order.kind is kind and row.entity.order.number > 0 for row in rows.entities)
        yield from wanted[made : made + 1]


def _is_its_own_charge_known(rows: Rows, ledgers: Sequence[Ledger]) -> bool:
    """Whether its gateway has the charge that the payment stands on, or stood on."""
    return any(
        charges(entry.operation) and entry.ref == rows.payment.gateway_ref
        for ledger in ledgers
        for entry in settled_at_last(ledger).entries
    )


def _without_voids(rows: Rows) -> Rows:
    """A cancel is done as well where nothing was held, so what it did is judged by what is held at the end."""
    entities = tuple(row for row in rows.entities if row.entity.order.kind is not EntityKind.VOID)
    return replace(rows, entities=entities)


SCENARIOS["life"] = Life()
