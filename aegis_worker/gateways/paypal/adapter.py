"""The adapter of PayPal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import certifi

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.outcomes import (
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Unknown,
)
from aegis_worker.errors import InvalidWebhook

from ..base import GatewayEvent
from ..capabilities import Capabilities
from ..config import GatewayConfig
from ..kit.access_tokens import AccessTokens, authorized, fetched
from ..kit.allow_list import AllowList
from ..kit.amounts import AmountNotTaken
from ..kit.certificates import CertificateNeeded, Certificates, Untrusted
from ..kit.flows import Flow, HttpAnswer, HttpCall, NoAnswer
from ..kit.probing import Probed, Standing, probed
from ..requests import DisputeQuery, GatewayRequest, StatusQuery
from .allow_list import PAYPAL
from .amounts import AMOUNTS
from .answers import Reader
from .calls import Calls, look_up_capture, look_up_dispute, look_up_order, look_up_refund
from .codes import DECLINE_CODES
from .disputes import found_dispute, read_dispute
from .holds import renewed_before_capture, to_capture, to_refund, to_void
from .look_ups import found_capture, found_order, found_refund
from .objects import IDENTITY, Authorization, Order, under
from .options import checked
from .sources import METHODS, PROVIDER, is_authenticated, is_saved
from .standing import of_capture, of_refund, of_void
from .webhook import Transmission, names_of, read_event, read_transmission, signing_headers

# "The server stores keys for 6 hours", and for 45 days: parameter `PayPal-Request-Id` of PayPal's OpenAPI documents.
_ORDER_KEYS_S, _PAYMENT_KEYS_S = 6 * 3600.0, 45 * 86_400.0
_HOLD_S = 29 * 86_400.0


class PayPalAdapter:
    """One account at PayPal, which its table's `account` names by its merchant id.

    The table's API key is the app's secret. Options: `client_id` (the app's), `return_url` (where payers come back to whose
    payment names no page), `approval_s` (how long payers may take, where PayPal gave the account another time),
    `absence_window_s`. Its webhook secrets are the ids of the webhooks: PayPal signs with a certificate instead, and
    the table's CA bundle vouches for that one too.

    `clock`: seconds since 1970. `tokens` and `certificates`: what this process has been given by PayPal.
    """

    decline_codes: ClassVar[Mapping[str, str]] = DECLINE_CODES
    allow_list: ClassVar[AllowList] = PAYPAL

    def __init__(
        self,
        config: GatewayConfig,
        clock: Callable[[], float] = time.time,
        tokens: AccessTokens | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.config = config
        options = checked(config)
        self.capabilities = Capabilities(
            steps=(Operation.AUTHENTICATE, Operation.PROCESS),
            key_lifetime_s=_PAYMENT_KEYS_S,
            # A void takes no key and needs none: what is void can't be voided again, and the order is looked at before.
            key_lifetimes_s=dict.fromkeys((Operation.AUTHENTICATE, Operation.PROCESS), _ORDER_KEYS_S),
            absence_window_s=options.absence_window_s,
            identity=IDENTITY,
            amounts=AMOUNTS,
            methods=METHODS,
            providers=frozenset({PROVIDER}),
            payer=frozenset({"shipping_address"}),
            three_ds=frozenset({"card"}),
            hold_s=_HOLD_S,
            # An order can't be cancelled, and approving one moves nothing until we capture it.
            closes=False,
        )
        self._clock = clock
        self._tokens = tokens or AccessTokens()
        self._certificates = certificates or Certificates(config.ca_bundle or Path(certifi.where()))
        self._calls = Calls(options.client_id, config.api_key, options.account, options.return_url)
        self._reader = Reader(config.mode, options.account, options.client_id, options.approval_s)

    def authenticate(self, request: GatewayRequest) -> Flow[Outcome]:
        """Make the order, and have its payer approve it. Nothing that was saved is charged by it.

        A card whose holder is there takes a second call, which asks if its issuer wants the holder authenticated.
        """
        terms = request.terms
        if terms.off_session and not is_saved(terms):
            return Declined(
                "authentication_required", "off_session", "a payer who is not there approves nothing"
            )
        try:
            call = self._calls.create(request)
        except AmountNotTaken as problem:
            return Declined("invalid_request", "amount_step", str(problem))
        outcome = self._reader.outcome(request, (yield from self._made(call)))
        order_id = getattr(outcome, "gateway_ref", None)
        if order_id is None or isinstance(outcome, Declined) or not is_authenticated(terms):
            return outcome
        return self._reader.outcome(
            request, (yield from self._made(self._calls.confirm_source(request, order_id)))
        )

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        """Capture the order, or hold its money: one POST."""
        if request.gateway_ref is None:
            return NotSent("there is no order yet")
        return self._reader.outcome(request, (yield from self._made(self._calls.charge(request))))

    def capture(self, request: GatewayRequest) -> Flow[Outcome]:
        """Capture from the order's newest hold, which is renewed first where PayPal honours it no longer."""
        order = yield from self._looked_at(request)
        if not isinstance(order, Order):
            return order
        made = under(request.idempotency_key, order.captures)
        if made is not None:
            return self._reader.stranger(request.expected, request.operation, made.shown()) or of_capture(
                made
            )
        authorization = to_capture(order)
        if authorization is None:
            return Declined("too_late", order.status, "nothing is held any more")
        try:
            if renewed_before_capture(order, authorization, self._now):
                renewed = yield from self._renewed(request, authorization)
                if not isinstance(renewed, Authorization):
                    return renewed
                authorization = renewed
            call = self._calls.capture(request, authorization.id)
        except AmountNotTaken as problem:
            return Declined("invalid_request", "amount_step", str(problem))
        return self._reader.outcome(request, (yield from self._made(call)))

    def void(self, request: GatewayRequest) -> Flow[Outcome]:
        """Look first, because a void takes no key: what is void already was voided by a call whose answer was lost."""
        order = yield from self._looked_at(request)
        if not isinstance(order, Order):
            return order
        authorization = to_void(order)
        if authorization is None:
            return of_void(order) or Declined("too_late", order.status, "nothing is held")
        answer = yield from self._made(self._calls.void(authorization.id))
        return self._reader.voided(order, authorization.id, answer)

    def refund(self, request: GatewayRequest) -> Flow[Outcome]:
        """Give back of one of the order's captures."""
        order = yield from self._looked_at(request)
        if not isinstance(order, Order):
            return order
        made = under(request.idempotency_key, order.refunds)
        if made is not None:
            return self._reader.stranger(request.expected, request.operation, made.shown()) or of_refund(made)
        capture = to_refund(order, request.amount)
        if capture is None:
            why = "no capture of it has so much left; what was captured in parts is given back in parts"
            return Declined("invalid_request", "REFUND_AMOUNT_EXCEEDED", why)
        try:
            call = self._calls.refund(request, capture.id)
        except AmountNotTaken as problem:
            return Declined("invalid_request", "amount_step", str(problem))
        return self._reader.outcome(request, (yield from self._made(call)))

    def initiate(self, request: GatewayRequest) -> Flow[Outcome]:
        """No step of PayPal's: making the order says whether its payer has to act."""
        yield from ()
        return NotSent("PayPal has no such call")

    # Payers bring nothing back that PayPal wants, and an order can't be cancelled.
    confirm = close = initiate

    def get_status(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome of an operation: of a capture or refund by its own id where that is known, else by the order's."""
        if query.own_ref is not None and query.operation is Operation.CAPTURE:
            return found_capture(query, (yield from self._made(look_up_capture(query.own_ref))), self._reader)
        if query.own_ref is not None and query.operation is Operation.REFUND:
            return found_refund(query, (yield from self._made(look_up_refund(query.own_ref))), self._reader)
        return found_order(query, (yield from self._made(look_up_order(query.gateway_ref))), self._reader)

    def find_by_reference(self, query: StatusQuery) -> Flow[Lookup]:
        """Without a call: PayPal finds nothing by our reference.

        An order whose making was not answered has moved nothing, whether it exists or not; the same key gives its id.
        """
        yield from ()
        if query.operation is Operation.AUTHENTICATE:
            return NotFound()
        return Unknown("PayPal can't be asked without the order's id")

    def get_dispute(self, query: DisputeQuery) -> Flow[DisputeLookup]:
        """The dispute, and the capture that it is about, which says of which order it is."""
        disputed = read_dispute(
            query, (yield from self._made(look_up_dispute(query.dispute_ref))), self._reader.account
        )
        if isinstance(disputed, Unknown):
            return disputed
        return found_dispute(query, disputed, (yield from self._made(look_up_capture(disputed.capture_id))))

    def probe(self) -> Flow[Probed]:
        """One call that gets an access token."""
        got = yield from fetched(self._tokens, self._calls.token())
        return probed(got) if isinstance(got, HttpAnswer) else Probed(Standing.TAKEN)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check and translate, where this process has the certificate. Raises InvalidWebhook and CertificateNeeded."""
        now = self._now
        transmission = self._transmission(headers, now)
        certificate = self._certificates.get(transmission.certificate_url, now)
        if certificate is None:
            raise CertificateNeeded(signing_headers(headers))
        return (read_event(transmission, certificate, self.config.webhook_secrets, body),)

    def verify_webhook(
        self, headers: Mapping[str, str], body: bytes, received_at: datetime
    ) -> Flow[Sequence[GatewayEvent] | InvalidWebhook]:
        """The same of a webhook that came at this time. The certificate is fetched if need be."""
        try:
            transmission = self._transmission(headers, received_at)
            url, now = transmission.certificate_url, self._now
            certificate = self._certificates.get(url, now)
            if certificate is None and not self._certificates.may_fetch(now):
                raise NoAnswer(NotSent("enough certificates were fetched in this minute"))
            if certificate is None:
                place = urlsplit(url)
                call = HttpCall(
                    "GET", place.path, only_reads=True, base_url=f"{place.scheme}://{place.netloc}"
                )
                answer = yield call
                if answer.status >= 500 or answer.status == 429:
                    raise NoAnswer(Unknown(f"the certificate's look-up answered HTTP {answer.status}"))
                certificate = self._certificates.keep(url, answer.body, names_of(self.config.mode), now)
            return (read_event(transmission, certificate, self.config.webhook_secrets, body),)
        except InvalidWebhook as problem:
            return problem
        except Untrusted as problem:
            return InvalidWebhook(str(problem))

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """Raises InvalidWebhook, because PayPal posts without trying the address out."""
        raise InvalidWebhook("PayPal sends no challenges")

    @property
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _transmission(self, headers: Mapping[str, str], received_at: datetime) -> Transmission:
        return read_transmission(headers, self.config.mode, self.config.base_url, received_at)

    def _made(self, call: HttpCall) -> Flow[HttpAnswer]:
        return authorized(call, self._tokens, self._calls.token())

    def _looked_at(self, request: GatewayRequest) -> Flow[Order | Outcome]:
        """The order as it stands. Whatever goes wrong here, nothing was sent."""
        try:
            answer = yield from self._made(look_up_order(request.gateway_ref))
        except NoAnswer as none:
            return NotSent(f"the order can't be looked at: {none.outcome.reason}")
        return self._reader.looked_at(request, answer)

    def _renewed(
        self, request: GatewayRequest, authorization: Authorization
    ) -> Flow[Authorization | NotSent | Declined]:
        """The hold to capture from: the renewed one, or the old one where PayPal does not renew it.

        A capture of what PayPal honours no longer may still succeed, so PayPal's refusal to renew it decides nothing. In
        doubt nothing is captured: the same call under the same key shows what became of it.
        """
        needed = request.amount if request.final else authorization.amount
        try:
            answer = yield from self._made(self._calls.reauthorize(request, authorization.id, needed))
        except NoAnswer as none:
            return NotSent(f"the hold may be renewed, and nothing is captured: {none.outcome.reason}")
        if answer.status in (400, 403, 404, 422):
            return authorization
        return self._reader.renewed(request, answer)
