"""What others than workers do in a real life, by the functions that the product's routes, tasks and webhooks call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

from msgspec.json import encode
from sqlalchemy import Connection

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.money import Money
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateway_events.receive import receive
from aegis_worker.gateways.base import GatewayEvent, PaymentGateway
from aegis_worker.hints import Notifier
from aegis_worker.ids import PAYMENT, new_id
from aegis_worker.intake import Intake, OrderCommand, PaymentCommand, command, order
from aegis_worker.intake.confirm import ConfirmCommand, request_confirm
from aegis_worker.lab.explore.mixing import FOREIGN_REF
from aegis_worker.lab.explore.moves import Move
from aegis_worker.lab.explore.orders import word_of
from aegis_worker.lab.explore.rows_orders import Wanted
from aegis_worker.lab.explore.rows_told import Told
from aegis_worker.lab.explore.setups import PAYMENT_ID, Configuration
from aegis_worker.lab.plants.patching import name_in
from aegis_worker.persistence.asking import ask_now
from aegis_worker.persistence.entity_rows import open_checks
from aegis_worker.persistence.hold_rows import open_looks
from aegis_worker.pipeline.recheck import RecheckParts, recheck

from .askers import Askers
from .books import Book
from .installation import RING, StoryInstallation

_OWNER = Owner("m_1", "test")
_WAIT_S = 20.0
_ANOTHER = "INSERT INTO gateway_references VALUES (%(gateway)s, %(ref)s, 'pay_another')"
_ALL_ARE_DUE = "UPDATE gateway_events SET due_at = statement_timestamp() WHERE status = 'waiting'"

# When a hold is looked at next is counted from a clock that is some microseconds further than the story's.
_HOLD_IS_DUE = """
UPDATE payments SET hold_due_at = statement_timestamp()
WHERE hold_due_at BETWEEN statement_timestamp() AND statement_timestamp() + interval '0.5 s'
"""


class Life:
    """The payment of a story, and what stands around it."""

    payment_id = PAYMENT_ID

    def __init__(
        self, installation: StoryInstallation, configuration: Configuration, books: Mapping[str, Book]
    ) -> None:
        self.database = installation.database
        self.configuration, self.books = configuration, books
        self.gateways = {
            name: cast("PaymentGateway", book.gateway(installation.halts.come_by))
            for name, book in books.items()
        }
        self.hints = cast("Notifier", NoHints())
        self.askers = Askers(installation, self.gateways, books, self.hints)
        self._orders = self._odd = 0

    @contextmanager
    def begun(self) -> Iterator[None]:
        """The payment is accepted, under the id that it has in every story."""
        accepted = PaymentCommand(
            _OWNER, "POST /v1/payments", "story", b"h" * 32, terms=self.configuration.terms
        )
        with name_in(command, "new_id", lambda prefix: PAYMENT_ID if prefix == PAYMENT else new_id(prefix)):
            Intake(self.database, wait_s=_WAIT_S).accept(accepted)
        self.database.run(self._with_another_payment)
        with self.askers.begun():
            yield

    def _with_another_payment(self, connection: Connection) -> None:
        """Another payment has the reference that gateways give by mistake."""
        for name in self.books:
            connection.exec_driver_sql(_ANOTHER, {"gateway": name, "ref": FOREIGN_REF})

    def wanted(self, how: str) -> Wanted:
        """What its merchant orders, by the words of the move."""
        return next(one for one in self.configuration.orders if word_of(one) == how)

    def order(self, kind: EntityKind, **wanted: Any) -> None:
        """The merchant orders it, under a key of its own."""
        self._orders += 1
        key = f"order-{self._orders}"
        ordered = OrderCommand(kind, _OWNER, PAYMENT_ID, key, b"h" * 32, **wanted)
        order(self.database, ordered, lambda name: self.gateways[name].capabilities)

    def tell(self, told: Told) -> None:
        """The gateway's webhook comes, with one event. Each that is out of turn is another one."""
        self._odd += told.is_odd
        number = f" {self._odd}" if told.is_odd else ""
        event = GatewayEvent(
            f"{told.kind} {told.reference} {told.ref}{number}",
            told.reference,
            told.ref,
            told.kind,
            Money(told.minor, self.configuration.terms.amount.currency),
        )
        receive(self.database, RING, self.hints, self.gateways[told.gateway], {}, encode([event]))

    def follow(self) -> None:
        """All events that wait are due, and are followed."""
        self.database.run(lambda connection: connection.exec_driver_sql(_ALL_ARE_DUE))
        follow(FollowParts(self.database, self.gateways, self.hints))


def _ask(life: Life, move: Move) -> None:
    life.database.run(lambda connection: ask_now(connection, PAYMENT_ID))


def _cancel(life: Life, move: Move) -> None:
    life.order(EntityKind.VOID)


def _recheck(life: Life, move: Move) -> None:
    life.books[move.who].fate = move.how
    recheck(
        RecheckParts(
            life.database,
            life.gateways,
            life.hints,
            life.configuration.ladder_s,
        )
    )


class NoHints:
    """Nobody is told; the story says when somebody looks."""

    def notify(self, queue: str) -> None:
        """The story says when somebody looks."""


def _nothing(life: Life, move: Move) -> None:
    """Time alone passes."""


def _order(life: Life, move: Move) -> None:
    wanted = life.wanted(move.how)
    if wanted.kind is EntityKind.VOID:
        life.order(wanted.kind)
    else:
        life.order(wanted.kind, amount_minor=wanted.minor, final=wanted.final, forced=wanted.forced)


def _sweep(life: Life, move: Move) -> None:
    life.database.run(lambda connection: open_checks(connection, limit=1))


def _look(life: Life, move: Move) -> None:
    life.database.run(lambda connection: connection.exec_driver_sql(_HOLD_IS_DUE))
    release_before = timedelta(seconds=life.configuration.release_before_s)
    life.database.run(lambda connection: open_looks(connection, release_before=release_before, limit=1))


def _release(life: Life, move: Move) -> None:
    life.books[move.who].release()


def _take_back(life: Life, move: Move) -> None:
    is_told_later = life.configuration.options.get("events", False)
    life.books[move.who].take_back(move.how, owes=is_told_later)
    if not is_told_later:
        _ask(life, move)


def _confirm(life: Life, move: Move) -> None:
    digest = int(move.how).to_bytes(32)
    brought = ConfirmCommand(
        _OWNER, PAYMENT_ID, "story", f"confirm-{move.how}", digest, digest, gateway_data={}
    )
    request_confirm(life.database, RING, brought, lambda name: life.gateways[name].capabilities.confirms)


def _event(life: Life, move: Move) -> None:
    manual = life.configuration.terms.capture_method == "manual"
    told = life.books[move.who].told(move.how, manual=manual)
    life.tell(told)
    _follow(life, move)


def _follow(life: Life, move: Move) -> None:
    life.follow()


OTHERS: dict[str, Callable[[Life, Move], None]] = {
    "ask": _ask,
    "event": _event,
    "follow": _follow,
    "cancel": _cancel,
    "confirm": _confirm,
    "recheck": _recheck,
    "order": _order,
    "sweep": _sweep,
    "look": _look,
    "releases": _release,
    "takes back": _take_back,
    "disputes": lambda life, move: life.books[move.who].dispute(move.how, life.configuration),
    "dispute event": lambda life, move: life.askers.begin(move),
    "dispute unheard": _nothing,
    "dispute answer": lambda life, move: life.askers.answered(move),
    "dispute noted": lambda life, move: life.askers.noted(move),
    "dispute asker": lambda life, move: life.askers.dies(move),
    "time": _nothing,
    "late": _nothing,
}
"""By the kind of a move."""
