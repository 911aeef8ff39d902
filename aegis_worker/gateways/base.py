"""The interface between AegisPay and a payment gateway.

An adapter translates: a request into calls, and their answers into an `Outcome` (or a `Lookup`). It decides nothing and
does no I/O: its operations are generators that yield calls, see `kit.flows` (design D11). It never raises because of a
gateway's answer, and yields no call twice. It returns, by the rule of design D4:

- 429: `NotSent` of kind RATE_LIMIT, with `retry_after_s` where given;
- a definite answer: `Approved`, `Declined`, `Pending`, `ActionRequired`;
- credentials refused (401, 403): `Declined("gateway_misconfigured")`; a request the gateway calls invalid (400, 404, 422):
  `Declined("invalid_request")` unless its code says something more precise;
- any other answer (5xx, unparsable or unexpected body): `Unknown`, with `stored` if the gateway itself answered 500,
  because some gateways keep a 500 under the key and repeat it;
- each of these only if the answer is ours by what the adapter declares (`identity`); else `Unknown` of kind MISMATCH.

Calls that get no answer don't concern the adapter. The code that makes its calls (`exchange`) classifies them:

- refused connection, DNS failure, TLS failure, no free connection: `NotSent`; a connect or a TLS handshake that timed out:
  `NotSent` of kind TIMEOUT;
- anything else after bytes may have been sent (read timeout, reset, bytes that are not HTTP): `Unknown`.

The rest of the product uses each adapter as a `PaymentGateway` (`exchange.loaded`), which waits for no call.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Protocol, runtime_checkable

from msgspec import Struct

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.exchanges import Note
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Lookup, NotSent, Outcome, Unknown
from aegis_worker.errors import InvalidWebhook

from .capabilities import Capabilities
from .config import GatewayConfig
from .kit.allow_list import AllowList
from .kit.flows import Flow
from .kit.probing import Probed
from .requests import DisputeQuery, GatewayRequest, StatusQuery

# The version of this interface. It is raised when an adapter that was right before would be wrong.
INTERFACE = 1


class GatewayEvent(Struct, frozen=True):
    """One thing that a gateway told us, authenticated and translated. A hint to ask it, never a fact by itself.

    `event_id`: by what the gateway itself tells two events apart, the same in every delivery: its event's id, or where it
    gives none, what identifies the event (Adyen: pspReference, eventCode and success). `reference`: the key of the call
    that made the payment there. `mode` and `account`: what the event says it is of; None where it does not say.
    `kind`: `payment.` and its status now: created, requires_action, authenticated, pending, authorized, succeeded, failed,
    captured, settled, voided or refunded; or `capture.` or `refund.` and the status of that one: pending, succeeded or
    failed, with the key that it was asked for under as `reference`; of a dispute `dispute.` and opened, updated or closed.
    If none of these fits, the gateway's own word. `amount`: the payment's, if the event shows it. `dispute_ref`: the
    gateway's id of the dispute that it is about; then `gateway_ref` is that of the disputed charge.
    """

    event_id: str
    reference: str | None
    gateway_ref: str | None
    kind: str
    amount: Money | None = None
    mode: Mode | None = None
    account: str | None = None
    dispute_ref: str | None = None


class Adapter(Protocol):
    """One named gateway, translated. It keeps no state between operations, so several threads may use it.

    An adapter may inherit from this class: then what its gateway has not (steps before the charge, what payers bring back,
    doors to close, disputes, challenges) is answered here.
    `decline_codes`: the gateway's codes, translated to those of `domain.declines`; the same for every instance. A code
    that is missing here is a `generic_decline`. `allow_list`: what of its calls and answers is kept for people to read.
    """

    decline_codes: ClassVar[Mapping[str, str]]
    allow_list: ClassVar[AllowList]
    config: GatewayConfig
    capabilities: Capabilities

    def initiate(self, request: GatewayRequest) -> Flow[Outcome]:
        """Create the payment at the gateway without moving money."""
        yield from ()
        return NotSent("this gateway has no such step")

    def authenticate(self, request: GatewayRequest) -> Flow[Outcome]:
        """Make the gateway accept the payer; `ActionRequired` if the payer must act."""
        yield from ()
        return NotSent("this gateway has no such step")

    @abstractmethod
    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        """Charge, or authorize when `request.capture` is False."""

    def confirm(self, request: GatewayRequest) -> Flow[Outcome]:
        """Hand over what the payer brought back, `request.confirm.data`. The outcome is that of the step that waits for it.

        A gateway whose look-ups tell that the payer has acted needs none (`Capabilities.confirms`).
        """
        yield from ()
        return NotSent("this gateway has no such step")

    @abstractmethod
    def capture(self, request: GatewayRequest) -> Flow[Outcome]:
        """Capture `request.amount` of the hold `request.gateway_ref`, and release the rest if the request is `final`.

        `Approved.gateway_ref` is the capture's own id, or the charge's where captures have none. A hold that can't be
        captured any more is `Declined`. A gateway that only takes the request in answers `Pending`.
        """

    @abstractmethod
    def void(self, request: GatewayRequest) -> Flow[Outcome]:
        """Release what is left of the hold `request.gateway_ref`; `Declined` where it is captured, released or expired."""

    @abstractmethod
    def refund(self, request: GatewayRequest) -> Flow[Outcome]:
        """Return `request.amount` of the charge `request.gateway_ref`.

        `Approved.gateway_ref` is the refund's own id. `Pending` where the gateway decides later: it is asked again.
        """

    def close(self, request: GatewayRequest) -> Flow[Outcome]:
        """Cancel `request.gateway_ref`, which was not charged, so that its payer can't pay it any more.

        `Approved`: nobody can. `Declined` where it can't be cancelled, because it was paid or has ended otherwise: then
        the charge is asked about.
        """
        yield from ()
        return NotSent("this gateway has no such step")

    @abstractmethod
    def get_status(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome of an operation, looked up by the gateway's own id."""

    @abstractmethod
    def find_by_reference(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome of an operation, looked up by our reference, for calls whose answer never came."""

    def get_dispute(self, query: DisputeQuery) -> Flow[DisputeLookup]:
        """How a dispute stands now. `Unknown` where the answer is not about this dispute of this charge."""
        yield from ()
        return Unknown("this gateway tells of no disputes")

    @abstractmethod
    def probe(self) -> Flow[Probed]:
        """One cheap call that needs our credentials and moves nothing, and what its answer says of them (`kit.probing`)."""

    @abstractmethod
    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check signature and age, then translate all events in the body. Raises `errors.InvalidWebhook`."""

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """What a GET of the webhooks' address is answered with, where the gateway tries it out before it posts to it.

        Raises `errors.InvalidWebhook` for what is no challenge of this gateway.
        """
        raise InvalidWebhook("this gateway sends no challenges")


@runtime_checkable
class SignsWithCertificates(Protocol):
    """An adapter whose gateway signs webhooks with a certificate, which has to be fetched before one can be verified.

    Its `parse_webhook` raises `kit.certificates.CertificateNeeded` in a process that does not have it.
    """

    def verify_webhook(
        self, headers: Mapping[str, str], body: bytes, received_at: datetime
    ) -> Flow[Sequence[GatewayEvent] | InvalidWebhook]:
        """As `Adapter.parse_webhook`, of a webhook that came at this time; an error is returned, not raised."""


class PaymentGateway(Protocol):
    """One named gateway as the product calls it: it carries out the operations of its `Adapter`.

    Several threads may call it. It never raises because of what a gateway or a network does. `send` and `ask` don't wait:
    they tell `done` what came of it, at once where the gateway needs no call, else on another thread.
    """

    config: GatewayConfig
    capabilities: Capabilities

    def send(
        self,
        request: GatewayRequest,
        done: Callable[[Outcome], None],
        may_leave: Callable[[], bool] | None = None,
        note: Note | None = None,
    ) -> None:
        """Carry out the request's operation. `may_leave` is asked just before anything leaves that changes something; if it
        says no, nothing is sent. `note` is told of each exchange before `done` is told the outcome.
        """

    def ask(self, query: StatusQuery, done: Callable[[Lookup], None], note: Note | None = None) -> None:
        """Look up what became of an operation, by the gateway's own id if it is known, else by our reference."""

    def ask_and_wait(self, query: StatusQuery, note: Note | None = None) -> Lookup:
        """As `ask`, for callers who have nothing else to do meanwhile."""

    def ask_dispute(
        self, query: DisputeQuery, done: Callable[[DisputeLookup], None], note: Note | None = None
    ) -> None:
        """Look up how a dispute stands."""

    def ask_dispute_and_wait(self, query: DisputeQuery, note: Note | None = None) -> DisputeLookup:
        """As `ask_dispute`, for callers who have nothing else to do meanwhile."""

    def probe(self) -> Probed:
        """Wait for whether the gateway answers and takes our credentials, and for its time. For `aegis doctor` alone."""

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check signature and age, then translate all events in the body. Raises `errors.InvalidWebhook`, and
        `kit.certificates.CertificateNeeded` where a worker has to verify it.
        """

    def verify_webhook(
        self, headers: Mapping[str, str], body: bytes, received_at: datetime
    ) -> Sequence[GatewayEvent] | NotSent | Unknown:
        """As `parse_webhook`, of a webhook that came at this time, and waits for what has to be fetched for it; why that
        can't be had now where it can't.
        """

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """What a GET of the webhooks' address is answered with, where the gateway tries it out before it posts to it.

        Raises `errors.InvalidWebhook` for what is no challenge of this gateway.
        """

    def close_connections(self) -> None:
        """Close kept-alive connections."""
