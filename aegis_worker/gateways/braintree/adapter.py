"""The adapter of Braintree."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.outcomes import (
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Unknown,
    UnknownKind,
)

from ..base import GatewayEvent
from ..capabilities import Capabilities
from ..config import GatewayConfig
from ..kit.allow_list import AllowList
from ..kit.amounts import AmountNotTaken, Amounts
from ..kit.flows import Flow, NoAnswer, opened
from ..kit.probing import Probed, probed
from ..requests import DisputeQuery, GatewayRequest, StatusQuery
from .allow_list import BRAINTREE
from .answers import NOT_SETTLED_WAIT_S, Reader, keeps_order_id
from .calls import Calls, headers_for
from .codes import DECLINE_CODES
from .disputes import found_dispute
from .look_ups import (
    chosen,
    found_by_id,
    found_ids,
    found_transactions,
    of_found_refund,
    of_sale,
    of_voided_sale,
)
from .objects import IDENTITY, SETTLED, Holder, Transaction
from .options import checked
from .payer import TAKEN
from .standing import of_capture, of_refund, of_void, of_whole_refund
from .webhook import answered, read_webhook

_TOKEN = frozenset({"token"})
_PROVIDERS = frozenset({"applepay", "googlepay", "paypal", "venmo"})
# "Within a 30-day window": developer.paypal.com/braintree/graphql/integration_guides/idempotency.
_REQUEST_KEYS_S = 30 * 86_400.0
# A nonce is charged once: a second charge with it is refused (91564), or waits for the first (91566). It lives for three
# hours: developer.paypal.com/braintree/docs/guides/payment-method-nonces. What is in its vault may be charged again:
# `customer/token`.
_NONCE, _NONCE_S = re.compile(r"[^/]+"), 3 * 3600.0
# A capture or void takes no key, and needs none: the sale is looked at before, and takes one of either once.
_ONCE_ONLY_S = 30 * 86_400.0
# Where an answer does not say: Visa's default, developer.paypal.com/braintree/docs/reference/general/statuses.
_HOLD_S = 7 * 86_400.0


class BraintreeAdapter:
    """One merchant at Braintree, whose id its table's `account` is.

    The table's API key is the private key, and its webhook secrets are the private keys that sign notifications. Options:
    `public_key`, `merchant_accounts` (which account of the merchant takes which currency), `descriptor_company` (the name
    before the star on statements), `request_keys` (true where Braintree has given the merchant keys of requests),
    `absence_window_s`. `clock`: seconds since 1970.
    """

    decline_codes: ClassVar[Mapping[str, str]] = DECLINE_CODES
    allow_list: ClassVar[AllowList] = BRAINTREE

    def __init__(self, config: GatewayConfig, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        options = checked(config)
        amounts = Amounts(currencies=frozenset(options.merchant_accounts))
        self.capabilities = Capabilities(
            steps=(Operation.PROCESS,),
            key_lifetime_s=_REQUEST_KEYS_S if options.request_keys else 0,
            pays_once=_NONCE,
            pays_once_s=_NONCE_S,
            key_lifetimes_s=dict.fromkeys((Operation.CAPTURE, Operation.VOID), _ONCE_ONLY_S),
            absence_window_s=options.absence_window_s,
            identity=IDENTITY,
            amounts=amounts,
            methods={"card": _TOKEN, "wallet": _TOKEN},
            providers=_PROVIDERS,
            payer=TAKEN,
            cards=True,
            # Only the shop's page can authenticate, and what came of it is with the nonce.
            three_ds=frozenset({"card"}),
            three_ds_tokens=_NONCE,
            several_captures=False,
            hold_s=_HOLD_S,
            # One call charges, and what the payer did in the browser before it moved nothing.
            closes=False,
            refunds_when_settled=True,
            voids_what_is_not_settled=True,
        )
        self._clock, self._public_key = clock, options.public_key
        self._holder = Holder(options.merchant_id, options.merchant_accounts)
        self._calls = Calls(options, headers_for(options.public_key, config.api_key), amounts)
        self._reader = Reader(self._holder)

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        """Charge, or hold: one POST."""
        card = (yield from opened(request.vaulted)) if request.vaulted is not None else None
        if isinstance(card, Declined):
            return card
        try:
            call = self._calls.sale(request, card)
        except AmountNotTaken as problem:
            return _not_taken(problem)
        return self._reader.outcome(request, (yield call))

    def capture(self, request: GatewayRequest) -> Flow[Outcome]:
        """Look first, because a capture takes no key: what was captured already may be ours, whose answer was lost."""
        sale = yield from self._looked_at(request)
        if not isinstance(sale, Transaction):
            return sale
        if sale.status != "authorized":
            made = of_capture(sale, request.idempotency_key, request.amount)
            if not isinstance(made, NotFound):
                return made
            code = "authorization_expired" if sale.status == "authorization_expired" else "too_late"
            return Declined(code, sale.status, "nothing is held any more", sale.id)
        try:
            answer = yield self._calls.capture(request)
            if keeps_order_id(answer):
                answer = yield self._calls.capture(request, named=False)
        except AmountNotTaken as problem:
            return _not_taken(problem)
        return self._reader.outcome(request, answer)

    def void(self, request: GatewayRequest) -> Flow[Outcome]:
        """Look first, because a void would give back what was captured meanwhile."""
        sale = yield from self._looked_at(request)
        if not isinstance(sale, Transaction):
            return sale
        stands = of_void(sale)
        if not isinstance(stands, NotFound):
            return stands
        return self._reader.outcome(request, (yield self._calls.void(sale.id)))

    def refund(self, request: GatewayRequest) -> Flow[Outcome]:
        """Give back of a settled sale. All of one that is not settled is given back by a void."""
        sale = yield from self._looked_at(request)
        if not isinstance(sale, Transaction):
            return sale
        try:
            refunds = yield from self._refunds_of(sale)
        except NoAnswer as none:
            return NotSent(f"the sale's refunds can't be looked at: {none.outcome.reason}")
        if isinstance(refunds, Unknown):
            return NotSent(f"the sale's refunds can't be looked at: {refunds.reason}")
        made = next((one for one in refunds if one.order_id == request.idempotency_key), None)
        if made is not None:
            other = self._reader.stranger(request.expected, request.operation, made, request.idempotency_key)
            return other or of_refund(made)
        given_back = of_whole_refund(sale, request.amount.minor)
        if given_back is not None:
            return given_back
        if sale.status in SETTLED:
            try:
                call = self._calls.refund(request)
            except AmountNotTaken as problem:
                return _not_taken(problem)
            return self._reader.outcome(request, (yield call))
        if sale.status != "submitted_for_settlement":
            return Declined("invalid_request", sale.status, "nothing was captured that could be given back")
        if request.amount.minor != sale.captured_minor:
            return NotSent("it is not settled yet", NOT_SETTLED_WAIT_S)
        return self._reader.given_back(request, (yield self._calls.void(sale.id)))

    def initiate(self, request: GatewayRequest) -> Flow[Outcome]:
        """No call of Braintree's: one charges."""
        yield from ()
        return NotSent("Braintree has no such call")

    # Payers authenticate in the shop's page before anything is posted, and nothing waits for them afterwards.
    authenticate = confirm = close = initiate

    def get_status(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome of an operation, by the sale's id; of a refund, by its own or among those with our reference."""
        if query.operation is Operation.REFUND:
            return (yield from self._refund(query))
        sale = found_by_id(query.gateway_ref, (yield self._calls.look_up(query.gateway_ref)), self._reader)
        if isinstance(sale, Unknown):
            return sale
        return (yield from self._standing(query, sale))

    def find_by_reference(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome of a charge or a refund whose answer never came, by its order id."""
        if query.operation in (Operation.CAPTURE, Operation.VOID):
            return Unknown("Braintree can't be asked without the sale's id", kind=UnknownKind.NO_LOOK_UP)
        found = yield from self._searched(query)
        if not isinstance(found, Transaction):
            return found
        if query.operation is Operation.REFUND:
            return of_found_refund(query, found, self._reader)
        return (yield from self._standing(query, found))

    def get_dispute(self, query: DisputeQuery) -> Flow[DisputeLookup]:
        """GET of the dispute, which names its sale."""
        return found_dispute(query, (yield self._calls.look_up_dispute(query.dispute_ref)), self._holder)

    def probe(self) -> Flow[Probed]:
        """One call that shows a merchant account."""
        return probed((yield self._calls.probe()), 200)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check signature and age, then translate, see `webhook`. Raises InvalidWebhook."""
        return read_webhook(self.config.webhook_secrets, self._holder, body, self._clock())

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """What a GET of the webhooks' address is answered with, by which Braintree tries it out. Raises InvalidWebhook."""
        return answered(query.get("bt_challenge", ""), self._public_key, self.config.api_key)

    def _looked_at(self, request: GatewayRequest) -> Flow[Transaction | Outcome]:
        """The sale as it stands. Whatever goes wrong here, nothing was sent."""
        try:
            answer = yield self._calls.look_up(request.gateway_ref)
        except NoAnswer as none:
            return NotSent(f"the sale can't be looked at: {none.outcome.reason}")
        return self._reader.looked_at(request, answer)

    def _refunds_of(self, sale: Transaction) -> Flow[Sequence[Transaction] | Unknown]:
        if not sale.refund_ids:
            return ()
        return found_transactions(sale.refund_ids, (yield self._calls.fetch(sale.refund_ids)), self._reader)

    def _standing(self, query: StatusQuery, sale: Transaction) -> Flow[Lookup]:
        refunds = yield from self._refunds_of(sale)
        return refunds if isinstance(refunds, Unknown) else of_sale(query, sale, refunds, self._reader)

    def _searched(self, query: StatusQuery) -> Flow[Transaction | NotFound | Unknown]:
        """What carries our reference."""
        listed = found_ids((yield self._calls.search(query.reference)))
        if isinstance(listed, Unknown):
            return listed
        if not listed:
            return NotFound()
        found = found_transactions(listed, (yield self._calls.fetch(listed, query.reference)), self._reader)
        return found if isinstance(found, Unknown) else chosen(query, found)

    def _refund(self, query: StatusQuery) -> Flow[Lookup]:
        if query.own_ref is not None and query.own_ref != query.gateway_ref:
            refund = found_by_id(query.own_ref, (yield self._calls.look_up(query.own_ref)), self._reader)
            return refund if isinstance(refund, Unknown) else of_found_refund(query, refund, self._reader)
        if query.own_ref is None:
            found = yield from self._searched(query)
            if isinstance(found, Transaction):
                return of_found_refund(query, found, self._reader)
            if isinstance(found, Unknown) or query.gateway_ref is None:
                return found
        # A void has neither an id of its own nor our reference.
        sale = found_by_id(query.gateway_ref, (yield self._calls.look_up(query.gateway_ref)), self._reader)
        return sale if isinstance(sale, Unknown) else of_voided_sale(query, sale, self._reader)


def _not_taken(problem: AmountNotTaken) -> Declined:
    return Declined("invalid_request", "amount_step", str(problem))
