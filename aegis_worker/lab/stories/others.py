"""What others than workers do in a real life, by the functions that the product's routes, tasks and webhooks call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.modes import Owner
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.hints import Notifier
from aegis_worker.ids import PAYMENT, new_id
from aegis_worker.intake import Intake, OrderCommand, PaymentCommand, command, order
from aegis_worker.lab.explore.moves import Move
from aegis_worker.lab.explore.rows_orders import Wanted
from aegis_worker.lab.explore.setups import PAYMENT_ID, Configuration
from aegis_worker.lab.plants.patching import name_in
from aegis_worker.persistence.asking import ask_now
from aegis_worker.persistence.entity_rows import open_checks
from aegis_worker.pipeline.recheck import RecheckParts, recheck

from .books import Book
from .installation import StoryInstallation

_OWNER = Owner("m_1", "test")
_WAIT_S = 20.0


class Life:
    """The payment of a story, and what stands around it."""

    payment_id = PAYMENT_ID

    def __init__(
        self, installation: StoryInstallation, configuration: Configuration, books: Mapping[str, Book]
    ) -> None:
        self.database = installation.database
        self.configuration, self.books = configuration, books
        self.gateways = {name: book.gateway(installation.halts.come_by) for name, book in books.items()}
        self._orders = 0

    @contextmanager
    def begun(self) -> Iterator[None]:
        """The payment is accepted, under the id that it has in every story."""
        accepted = PaymentCommand(
            _OWNER, "POST /v1/payments", "story", b"h" * 32, terms=self.configuration.terms
        )
        with name_in(command, "new_id", lambda prefix: PAYMENT_ID if prefix == PAYMENT else new_id(prefix)):
            Intake(self.database, wait_s=_WAIT_S).accept(accepted)
        yield

    def next_order(self) -> Wanted:
        """What its merchant orders next."""
        return self.configuration.orders[self._orders]

    def order(self, kind: EntityKind, **wanted: Any) -> None:
        """The merchant orders it, under a key of its own."""
        self._orders += 1
        key = f"order-{self._orders}"
        ordered = OrderCommand(kind, _OWNER, PAYMENT_ID, key, b"h" * 32, **wanted)
        order(self.database, ordered, lambda name: self.gateways[name].capabilities)


def _ask(life: Life, move: Move) -> None:
    life.database.run(lambda connection: ask_now(connection, PAYMENT_ID))


def _cancel(life: Life, move: Move) -> None:
    life.order(EntityKind.VOID)


def _recheck(life: Life, move: Move) -> None:
    life.books[move.who].fate = move.how
    recheck(
        RecheckParts(
            life.database,
            cast("Mapping[str, PaymentGateway]", life.gateways),
            cast("Notifier", _NoHints()),
            life.configuration.ladder_s,
        )
    )


class _NoHints:
    def notify(self, queue: str) -> None:
        """The story says when somebody looks."""


def _nothing(life: Life, move: Move) -> None:
    """Time alone passes."""


def _order(life: Life, move: Move) -> None:
    wanted = life.next_order()
    if wanted.kind is EntityKind.VOID:
        life.order(wanted.kind)
    else:
        life.order(wanted.kind, amount_minor=wanted.minor, final=wanted.final, forced=wanted.forced)


def _sweep(life: Life, move: Move) -> None:
    life.database.run(lambda connection: open_checks(connection, limit=1))


def _take_back(life: Life, move: Move) -> None:
    life.books[move.who].take_back(move.how)
    _ask(life, move)


OTHERS: dict[str, Callable[[Life, Move], None]] = {
    "ask": _ask,
    "event": _ask,
    "cancel": _cancel,
    "recheck": _recheck,
    "order": _order,
    "sweep": _sweep,
    "takes back": _take_back,
    "time": _nothing,
    "late": _nothing,
}
"""By the kind of a move."""
