"""The adapter of Razorpay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec.structs import replace

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotSent,
    Operation,
    Outcome,
    Unknown,
)
from aegis_worker.errors import InvalidWebhook

from ..base import GatewayEvent
from ..capabilities import Capabilities
from ..config import GatewayConfig
from ..kit.allow_list import AllowList
from ..kit.amounts import AmountNotTaken
from ..kit.flows import Flow
from ..kit.probing import Probed, probed
from ..kit.reading import Unreadable
from ..requests import DisputeQuery, GatewayRequest, StatusQuery
from .allow_list import RAZORPAY
from .amounts import AMOUNTS
from .answers import confirmed, looked_at, ordered, refunded
from .calls import HELD_FOR, REFUNDS_A_PAGE, Calls
from .captures import capture, charge, look
from .checkout import GaveUp, brought_back, handed_over
from .codes import DECLINE_CODES
from .disputes import found_dispute, read_dispute
from .look_ups import (
    by_payments,
    found_order,
    found_payments,
    found_refund,
    order_with_receipt,
    refund_with_receipt,
    refunds_on,
    unexpected,
)
from .methods import METHODS, PROVIDERS
from .objects import IDENTITY, Order, Payment, Refund
from .options import checked
from .standing import (
    Payments,
    captures_in,
    of_checkout,
    of_payer_who_gave_up,
    of_void,
    refunds_in,
    taken_in,
)
from .webhook import read_webhook

# A receipt is unique for ever, and what is captured can't be captured again, so such a call may be repeated at any time.
_REPEATABLE_S = HELD_FOR.total_seconds()
# For how long Razorpay remembers the key of a refund is not documented.
_REFUND_KEYS_S = 86_400.0
# Of a hundred refunds each. A payment with more is looked at by a person.
_MOST_PAGES = 5


class RazorpayAdapter:
    """One account at Razorpay, which its table's `account` names by its merchant id, `acc_…`.

    The table's API key is the secret of the key that the option `key_id` names. Another option: `absence_window_s`.

    An order is made, its payer pays in Checkout, and the payment is captured, or stays held. Whoever tells that the payer
    has paid, Checkout's signature, a webhook or a look-up, it is captured then.
    """

    decline_codes: ClassVar[Mapping[str, str]] = DECLINE_CODES
    allow_list: ClassVar[AllowList] = RAZORPAY

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        options = checked(config)
        self.capabilities = Capabilities(
            steps=(Operation.AUTHENTICATE, Operation.PROCESS),
            key_lifetime_s=_REPEATABLE_S,
            key_lifetimes_s={Operation.REFUND: _REFUND_KEYS_S},
            absence_window_s=options.absence_window_s,
            identity=IDENTITY,
            amounts=AMOUNTS,
            methods=METHODS,
            providers=PROVIDERS,
            issues_tokens=False,
            # An order can't demand anything. In India every payment online is authenticated by law.
            three_ds=frozenset({"card", "net_banking", "upi"}),
            three_ds_currencies=frozenset({"INR"}),
            partial_captures=False,
            several_captures=False,
            voids=False,
            confirms=True,
            hold_s=HELD_FOR.total_seconds(),
            # An order can't be cancelled, and paying it moves nothing until we capture it.
            closes=False,
            payer_pays_first=True,
            moves_money=frozenset({Operation.PROCESS, Operation.CAPTURE, Operation.VOID, Operation.REFUND}),
        )
        self._calls = Calls(options.key_id, config.api_key)

    def authenticate(self, request: GatewayRequest) -> Flow[Outcome]:
        """Make the order that its payer pays in Checkout."""
        if request.terms.off_session:
            return Declined("authentication_required", "off_session", "a payer who is not there pays nothing")
        if "token" in request.terms.payment_method:
            return Declined("invalid_token", "token", "the payer says in Checkout by what they pay")
        try:
            call = self._calls.create(request)
        except AmountNotTaken as problem:
            return Declined("invalid_request", "amount_step", str(problem))
        order = ordered(request.expected, (yield call))
        if not isinstance(order, Order):
            return order
        query = StatusQuery(request.operation, request.idempotency_key, order.id, request.amount)
        return (yield from self._in_checkout(query, order))

    def confirm(self, request: GatewayRequest) -> Flow[Outcome]:
        """What Checkout gave the shop: whom it has signed for has paid. Moves nothing."""
        order_id = request.gateway_ref or ""
        try:
            given = brought_back(
                None if request.confirm is None else request.confirm.data, order_id, self.config.api_key
            )
        except Unreadable as problem:
            return Declined("invalid_request", "not_from_checkout", str(problem))
        if isinstance(given, GaveUp):
            payments = looked_at(request, (yield self._calls.payments_of(order_id)))
            return of_payer_who_gave_up(order_id, payments) if isinstance(payments, tuple) else payments
        return confirmed(request, given.payment_id, (yield self._calls.payment(given.payment_id)))

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        """Capture what the payer has paid or, where it is to be held, see that it is."""
        return (yield from charge(self._calls, request))

    def capture(self, request: GatewayRequest) -> Flow[Outcome]:
        """Capture the hold: all of it, once."""
        return (yield from capture(self._calls, request))

    def void(self, request: GatewayRequest) -> Flow[Outcome]:
        """Nothing is sent: what is not captured Razorpay gives back by itself, within three days of its payment."""
        payments = yield from look(self._calls, request)
        return of_void(request.gateway_ref or "", payments) if isinstance(payments, tuple) else payments

    def refund(self, request: GatewayRequest) -> Flow[Outcome]:
        """Give back of the order's captured payment."""
        payments = yield from look(self._calls, request)
        if not isinstance(payments, tuple):
            return payments
        payment = _to_refund(payments)
        if payment is None:
            return Declined("invalid_request", "not_captured", "no payment of the order was captured")
        try:
            call = self._calls.refund(request, payment.id)
        except AmountNotTaken as problem:
            return Declined("invalid_request", "amount_step", str(problem))
        return refunded(request, payment, (yield call))

    def initiate(self, request: GatewayRequest) -> Flow[Outcome]:
        """No step of Razorpay's: an order is made for its payer."""
        yield from ()
        return NotSent("Razorpay has no such call")

    close = initiate

    def get_status(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome of an operation, by the order and its payments; of a refund by its own id where that is known."""
        if query.operation is Operation.AUTHENTICATE:
            order = found_order(query, (yield self._calls.order(query.gateway_ref)))
            return (yield from self._in_checkout(query, order)) if isinstance(order, Order) else order
        if query.operation is Operation.REFUND and query.own_ref is not None:
            return found_refund(query, (yield self._calls.refund_by_id(query.own_ref)))
        payments = found_payments(query, (yield self._calls.payments_of(query.gateway_ref)))
        if not isinstance(payments, tuple):
            return payments
        if query.operation is Operation.REFUND:
            refunds = yield from self._refunds(payments)
            return refunds if isinstance(refunds, Unknown) else refund_with_receipt(query, refunds)
        found = by_payments(query, payments)
        if not query.movements or not isinstance(found, Approved):
            return found
        refunds = yield from self._refunds(payments)
        if isinstance(refunds, Unknown):
            return refunds
        captures = [] if query.capture else captures_in(payments)
        return replace(found, movements=(*captures, *refunds_in(refunds)))

    def find_by_reference(self, query: StatusQuery) -> Flow[Lookup]:
        """By the order's receipt, where its making was not answered. Whatever follows knows the order's id."""
        if query.operation is not Operation.AUTHENTICATE:
            return Unknown("Razorpay can't be asked without the order's id")
        order = order_with_receipt(query, (yield self._calls.orders_with(query.reference)))
        return (yield from self._in_checkout(query, order)) if isinstance(order, Order) else order

    def get_dispute(self, query: DisputeQuery) -> Flow[DisputeLookup]:
        """The dispute, and the payment that it is about, which says of which order it is."""
        disputed = read_dispute(query, (yield self._calls.dispute(query.dispute_ref)))
        if isinstance(disputed, Unknown):
            return disputed
        return found_dispute(query, disputed, (yield self._calls.payment(disputed.payment_id)))

    def probe(self) -> Flow[Probed]:
        """One call that lists one order."""
        answer = yield self._calls.probe()
        return probed(answer, 200)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check the signature, then translate, see `webhook`. Events have no age. Raises InvalidWebhook."""
        return (read_webhook(self.config.webhook_secrets, headers, body),)

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """Raises InvalidWebhook, because Razorpay posts without trying the address out."""
        raise InvalidWebhook("Razorpay sends no challenges")

    def _in_checkout(
        self, query: StatusQuery, order: Order
    ) -> Flow[Approved | Declined | ActionRequired | Unknown]:
        """Whether the order's payer has paid. One that nobody has tried to pay has no payments to look at."""
        if order.is_untried:
            return ActionRequired(order.id, handed_over(order, self._calls.key_id))
        query = replace(query, gateway_ref=order.id)
        payments = found_payments(query, (yield self._calls.payments_of(order.id)))
        return of_checkout(order, payments, self._calls.key_id) if isinstance(payments, tuple) else payments

    def _refunds(self, payments: Payments) -> Flow[list[Refund] | Unknown]:
        """All refunds of what was captured."""
        refunds: list[Refund] = []
        for payment in taken_in(payments):
            for page in range(_MOST_PAGES):
                answer = yield self._calls.refunds_of(payment.id, page * REFUNDS_A_PAGE)
                found = refunds_on(payment.id, answer)
                if isinstance(found, Unknown):
                    return found
                refunds += found
                if len(found) < REFUNDS_A_PAGE:
                    break
            else:
                return unexpected(Unreadable("more refunds than are looked at"))
        return refunds


def _to_refund(payments: Payments) -> Payment | None:
    """The payment that was captured; of several always the same one, because a repeated refund must not be another's."""
    return min(taken_in(payments), key=lambda one: (one.made_at, one.id), default=None)
