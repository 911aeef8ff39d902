"""What a gateway shows of a payment's own charge, held against the captures, voids and refunds that we know: what is new
of it, as facts and changes of entities (design D15). Pure.

A movement is matched with what we ordered first: by our key, then by the gateway's id. So an answer of ours that was lost
is never taken for something that somebody did at the gateway. Only what a gateway says has failed has failed: what it does
not show, or still shows as pending, undoes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from .declines import describe_error
from .entities import (
    UNSETTLED,
    Entity,
    EntityChange,
    EntityKind,
    EntityStatus,
    Order,
    entity_failed,
    requested,
    succeeded,
)
from .gateway_keys import gateway_key, ordered_in
from .holds import hold_expired
from .outcomes import Approved, Declined, Movement, Operation
from .payment import Fact, Payment
from .transitions import EventType, State

# By kind and what the gateway calls it: the id of a new entity.
NewId = Callable[[EntityKind, str], str]

# What is still pending at the gateway, and nobody ordered here, is looked at again after so long.
_CHECK_IN_S = 3600.0
_S = EntityStatus


class News(Struct, frozen=True):
    """What is new. `problem`: what a person has to look at, in words; None where there is nothing."""

    facts: tuple[Fact, ...] = ()
    changes: tuple[EntityChange, ...] = ()
    problem: str | None = None

    def and_then(self, other: News) -> News:
        """Both, one after the other."""
        return News(self.facts + other.facts, self.changes + other.changes, self.problem or other.problem)


def news_of(
    payment: Payment,
    entities: Sequence[Entity],
    found: Approved | Declined,
    new_id: NewId,
    *,
    expired: bool = False,
) -> News:
    """What is new in what the gateway shows of the charge that the payment stands on. `expired`: its hold's time is up, as
    it also is once the gateway says so.
    """
    if isinstance(found, Declined):
        expired = expired or found.code == "authorization_expired"
        return _release(payment, entities, new_id, expired=expired) if found.released else News()
    known = _Known(payment, entities)
    news = News(problem=_done_twice(payment, known, found.movements or ()))
    for movement in found.movements or ():
        news = news.and_then(_news_of(payment, known, movement, found, new_id))
    if found.still_held is False or (expired and found.still_held is None):
        news = news.and_then(_end_of_hold(payment, entities, news, new_id, expired=expired))
    return news


def _done_twice(payment: Payment, known: _Known, movements: Sequence[Movement]) -> str | None:
    """What was ordered once and done more than once, in words: a repeat came when its gateway had forgotten the key."""
    by_key: dict[str, set[str | None]] = {}
    for one in movements:
        if one.reference is not None and one.status != "failed" and known.is_of_ours(one):
            by_key.setdefault(one.reference, set()).add(one.gateway_ref)
    twice = [key for key, refs in by_key.items() if len(refs - {None}) > 1]
    return f"{payment.gateway} has done more than once what was ordered as {twice[0]}" if twice else None


class _Known:
    """The entities of a payment by what a gateway may show of them."""

    def __init__(self, payment: Payment, entities: Sequence[Entity]) -> None:
        self.gateway = payment.gateway or ""
        self.payment_id = payment.id
        self._by_key = {
            gateway_key(payment.id, entity.order.operation, entity.order.attempt): entity
            for entity in entities
            if entity.order.origin == "merchant"
        }
        # What was found at the gateway comes last: it stands for what we had called failed, too.
        in_turn = sorted(entities, key=lambda entity: entity.order.origin == "gateway")
        self._by_ref = {
            (entity.order.operation, entity.gateway_ref): entity for entity in in_turn if entity.gateway_ref
        }
        self._nameless: dict[Operation, int] = {}
        for entity in entities:
            if entity.order.origin == "gateway" and entity.gateway_ref is None:
                before = self._nameless.get(entity.order.operation, 0)
                self._nameless[entity.order.operation] = before + entity.order.amount_minor

    def of(self, movement: Movement) -> Entity | None:
        """The entity that the movement is of."""
        named = self._by_ref.get((movement.operation, identity(movement) or ""))
        if named is not None and named.order.origin == "gateway":
            return named
        return self._by_key.get(movement.reference or "") or named

    def is_of_ours(self, movement: Movement) -> bool:
        """Whether it carries the key of an order of this payment."""
        key = movement.reference or ""
        return ordered_in(key) is not None and key.startswith(self.payment_id)

    def beyond_nameless(self, movement: Movement) -> int:
        """How much more the gateway shows of what nobody ordered here than is known, where it tells the sum alone."""
        return movement.minor - self._nameless.get(movement.operation, 0)


def identity(movement: Movement) -> str | None:
    """By what the same movement is known again: the gateway's id of it, or else the reference that it carries."""
    return movement.gateway_ref or movement.reference


def _news_of(payment: Payment, known: _Known, movement: Movement, found: Approved, new_id: NewId) -> News:
    entity = known.of(movement)
    if entity is not None:
        return _KNOWN[entity.status](known.gateway, entity, movement, partial(_found, payment, found, new_id))
    if known.is_of_ours(movement):
        what = f"{movement.operation.value} under our key {movement.reference}"
        return News(problem=f"{payment.gateway} shows a {what}, which nobody ordered")
    if identity(movement) is None:
        movement = replace(movement, minor=known.beyond_nameless(movement))
    if movement.status == "failed" or movement.minor <= 0:
        return News()
    return _found(payment, found, new_id, movement)


def _found(payment: Payment, found: Approved, new_id: NewId, movement: Movement) -> News:
    """An entity for what nobody ordered here."""
    kind, name = EntityKind(movement.operation.value), identity(movement)
    ends_hold = kind is EntityKind.CAPTURE and found.still_held is False
    nameless = f"{payment.version} {movement.minor}"
    order = Order(kind, new_id(kind, name or nameless), 0, movement.minor, ends_hold, origin="gateway")
    if movement.status == "pending":
        change = EntityChange(order, _S.PENDING, payment.gateway, name, check_in_s=_CHECK_IN_S)
        return News((requested(order),), (change,))
    change = EntityChange(order, _S.SUCCEEDED, payment.gateway, name)
    return News((requested(order), succeeded(order, payment.gateway or "", name)), (change,))


def _of_unsettled(gateway: str, entity: Entity, movement: Movement, found: Callable[..., News]) -> News:
    """Ours is asked about by its own job, which ends its attempt as well; what was found at the gateway ends here."""
    order = entity.order
    if order.origin == "merchant":
        is_over = movement.status != "pending" and entity.status is _S.PENDING
        return News(changes=(EntityChange(order, _S.PENDING, check_in_s=0.0),)) if is_over else News()
    if movement.status == "pending":
        return News()
    if movement.status == "failed":
        error = _refused(gateway, movement)
        return News((entity_failed(order, error),), (EntityChange(order, _S.FAILED, error=error),))
    return News(
        (succeeded(order, gateway, entity.gateway_ref),), (EntityChange(order, _S.SUCCEEDED, gateway),)
    )


def _of_succeeded(gateway: str, entity: Entity, movement: Movement, found: Callable[..., News]) -> News:
    """The gateway may take its word back, days later."""
    order = entity.order
    if movement.status == "failed":
        error = _refused(gateway, movement)
        return News((entity_failed(order, error, late=True),), (EntityChange(order, _S.FAILED, error=error),))
    if movement.minor != order.amount_minor:
        return News(problem=f"{gateway} shows {movement.minor} of {order.id}, ours is {order.amount_minor}")
    return News()


def _of_failed(gateway: str, entity: Entity, movement: Movement, found: Callable[..., News]) -> News:
    """What we had called failed, and the gateway has done. Ours stays failed, and the money is told of all the same."""
    if movement.status == "succeeded" and entity.order.origin == "merchant":
        return found(movement)
    return News()


_KNOWN: Mapping[EntityStatus, Callable[[str, Entity, Movement, Callable[..., News]], News]] = {
    _S.REQUESTED: _of_unsettled,
    _S.WAITING: _of_unsettled,
    _S.PENDING: _of_unsettled,
    _S.SUCCEEDED: _of_succeeded,
    _S.FAILED: _of_failed,
}


def _refused(gateway: str, movement: Movement) -> dict[str, str | None]:
    return describe_error(
        "generic_decline", gateway=gateway, gateway_code=movement.code or "failed", message=""
    )


def _end_of_hold(
    payment: Payment, entities: Sequence[Entity], so_far: News, new_id: NewId, *, expired: bool
) -> News:
    """The payment's end, where its hold ended at the gateway. What we ordered and is not settled ends it by itself."""
    ends = (EntityKind.CAPTURE, EntityKind.VOID)
    unsettled = any(e.order.kind in ends and e.status in UNSETTLED for e in entities)
    if payment.state is not State.AUTHORIZED or unsettled or so_far.problem is not None:
        return News()
    after, _ = payment.record(so_far.facts)
    if after.capturing_minor or not after.captured_minor:
        return News()
    data = {"gateway": payment.gateway, "gateway_ref": payment.gateway_ref}
    ended = Fact(EventType.SUCCEEDED, data | {"captured_minor": after.captured_minor})
    is_captured_there = any(change.order.kind is EntityKind.CAPTURE for change in so_far.changes)
    released = after.authorized_minor - after.captured_minor
    if is_captured_there or released <= 0 or expired:
        return News((ended,))
    return News((ended,), (_released(payment, released, new_id),))


def _release(payment: Payment, entities: Sequence[Entity], new_id: NewId, *, expired: bool) -> News:
    """The hold was released at the gateway before any of it was captured. A capture that is under way tells by itself."""
    if payment.state is not State.AUTHORIZED or payment.captured_minor or payment.capturing_minor:
        return News()
    unsettled = [e.order for e in entities if e.order.kind is EntityKind.VOID and e.status is _S.PENDING]
    if unsettled:
        # Ours did it, or one at the gateway: its own job finds out.
        return News(changes=tuple(EntityChange(order, _S.PENDING, check_in_s=0.0) for order in unsettled))
    if expired:
        return News((hold_expired(payment),))
    data = {"gateway": payment.gateway, "gateway_ref": payment.gateway_ref, "reason": "voided at the gateway"}
    return News((Fact(EventType.CANCELLED, data),), (_released(payment, payment.authorized_minor, new_id),))


def _released(payment: Payment, minor: int, new_id: NewId) -> EntityChange:
    order = Order(EntityKind.VOID, new_id(EntityKind.VOID, "release"), 0, minor, origin="gateway")
    return EntityChange(order, _S.SUCCEEDED, payment.gateway, payment.gateway_ref)
