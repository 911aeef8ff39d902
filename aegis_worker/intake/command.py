"""A request to pay, what its payment is born as, and what it is told. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from msgspec.structs import replace as with_terms

from aegis_worker.domain.accepting import Born, KeptPayment, Key
from aegis_worker.domain.instruments import CustomersCard
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.payment import Payment, initiated
from aegis_worker.domain.replay import unborn
from aegis_worker.domain.scheduling import why_not_then
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.domain.text import same_name
from aegis_worker.domain.trails import NO_TRAIL, Trail
from aegis_worker.errors import AegisError, IdempotencyKeyReused, ScheduleRefused
from aegis_worker.ids import JOB, PAYMENT, new_id


@dataclass(frozen=True, slots=True)
class PaymentCommand:
    """One validated request to pay. `request_hmac` covers the whole canonical request.

    `refused`: why it is not accepted as things stand now. It may have been accepted before.
    """

    owner: Owner
    route: str
    idempotency_key: str
    request_hmac: bytes
    terms: PaymentTerms
    payer: Payer | None = None
    refused: AegisError | None = None
    trail: Trail = NO_TRAIL


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the caller is told: the payment as of its first event, which never changes, so a replay says the same."""

    payment: Payment
    job_id: str
    created_at: datetime
    replayed: bool


def born(command: PaymentCommand) -> Born:
    """The payment that the command asks for, as of its first event."""
    unborn_payment = Payment(new_id(PAYMENT), command.owner.merchant_id, command.terms, command.owner.mode)
    payment, (first,) = unborn_payment.record([initiated(unborn_payment)])
    key = Key(*command.owner, command.route, command.idempotency_key)
    return Born(key, command.request_hmac, payment, first, new_id(JOB), command.payer, command.trail)


def in_time(command: PaymentCommand, now: datetime) -> PaymentCommand:
    """The command, refused where its payment can't be scheduled for when it says."""
    at = command.terms.scheduled_at
    why_not = None if at is None or command.refused is not None else why_not_then(at, now)
    return command if why_not is None else replace(command, refused=ScheduleRefused(why_not))


def refers_to(command: PaymentCommand) -> CustomersCard | None:
    """The card of the vault whose customer may have agreed to this charge; None where nothing is to be looked up."""
    terms = command.terms
    customer_id, fingerprint = terms.customer.get("id"), terms.payment_method.get("fingerprint")
    if not terms.off_session or terms.network_transaction_id is not None:
        return None
    return CustomersCard(*command.owner, customer_id, fingerprint) if customer_id and fingerprint else None


def referring(command: PaymentCommand, agreed: Mapping[CustomersCard, str]) -> PaymentCommand:
    """The command, with the network's id of the payment at which its customer agreed, where that is known."""
    card = refers_to(command)
    if card is None or card not in agreed:
        return command
    return replace(command, terms=with_terms(command.terms, network_transaction_id=agreed[card]))


def marks(one: Born) -> set[tuple[str, ...]]:
    """What no two payments of one mode may share: the key, and the merchant's reference in its normal form."""
    reference = one.payment.reference
    if reference is None:
        return {one.key}
    return {one.key, (one.key.merchant_id, one.key.mode, same_name(reference))}


def without_twins(born: Sequence[Born]) -> tuple[list[Born], list[Born]]:
    """The first of each key and each reference, and the rest, whose answer depends on what these are told."""
    seen: set[tuple[str, ...]] = set()
    first: list[Born] = []
    later: list[Born] = []
    for one in born:
        own = marks(one)
        (first if seen.isdisjoint(own) else later).append(one)
        seen |= own
    return first, later


def told_before(asked: Born, kept_payment: KeptPayment) -> Accepted | AegisError:
    """What the first request with this key was told. It may be this very one, whose COMMIT happened without an answer."""
    if not hmac.compare_digest(kept_payment.request_hmac, asked.request_hmac):
        return IdempotencyKeyReused("this key was used with a different request")
    now = kept_payment.payment
    original, _ = unborn(now).record([initiated(now)])
    return Accepted(
        original, kept_payment.job_id, kept_payment.created_at, replayed=now.id != asked.payment.id
    )
