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

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from msgspec import Struct

from aegis_worker.domain.breakers import BreakerLimits
from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.gateway_keys import keys_of_same_hop
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Lookup, Operation, Outcome
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.retries import RetryLimits
from aegis_worker.domain.terms import PaymentTerms

from .kit.amounts import ISO_AMOUNTS, Amounts
from .kit.flows import Flow
from .kit.identity import Declared, Expected


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an adapter needs and promises.

    `steps`: the calls that one payment takes, in order. `key_lifetime_s`: how long the gateway remembers an idempotency
    key (0: it has no keys; then a charge in doubt is never repeated, and never tried elsewhere on "not found").
    `absence_window_s`: how long after a call look-ups may still not show its effect. `identity`: what an answer of this
    gateway must show to count as an answer to what was asked. `amounts`: which amounts it can write exactly.
    `key_lifetimes_s`: by operation, where a key of it lives another time than `key_lifetime_s`. `methods`: the types of
    `payment_method` that it takes, each with the fields that it can't do without: `token` where the gateway has issued
    something for this payer, `vpa` and the like where the payer must be named, none where the type alone is enough.
    `bare_tokens`: the form of the tokens that it takes although nobody says that it issued them, as sandboxes take each
    other's; None: none, as where money moves. `payer`: what it is sent of who pays, of `domain.payer.FIELDS`.

    What it can do with a charge (design D14): `holds`: authorize now and capture later. `partial_captures`: less than what
    is held. `several_captures`: more than one of a hold; without it each capture releases the rest. `voids`: release a
    hold. `partial_refunds`: give back less than all, and more than once. `confirms`: it takes what the payer brought back
    from an action, by `Adapter.confirm`; without it a payer's return only has the gateway asked.
    """

    steps: tuple[Operation, ...]
    key_lifetime_s: float
    absence_window_s: float
    identity: Declared = field(default_factory=Declared)
    amounts: Amounts = ISO_AMOUNTS
    key_lifetimes_s: Mapping[Operation, float] = field(default_factory=dict)
    methods: Mapping[str, frozenset[str]] = field(default_factory=lambda: {"card": frozenset({"token"})})
    bare_tokens: re.Pattern[str] | None = None
    payer: frozenset[str] = frozenset()
    holds: bool = True
    partial_captures: bool = True
    several_captures: bool = True
    voids: bool = True
    partial_refunds: bool = True
    confirms: bool = False

    def takes(self, amount: Money) -> bool:
        """Whether the gateway can write the amount exactly."""
        return self.amounts.takes(amount)

    def keeps_key_s(self, operation: Operation) -> float:
        """How long, in seconds, the gateway remembers a key of this operation; 0 if it takes none."""
        return self.key_lifetimes_s.get(operation, self.key_lifetime_s)


@dataclass(frozen=True, slots=True)
class AmountLimits:
    """The smallest and the largest amount that a gateway accepts in one currency, in minor units, both included."""

    min_minor: int = 1
    max_minor: int | None = None


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """One table of config/gateways.toml: a named instance of an adapter. Empty sets mean "any".

    `mode`: whose payments it takes. `account`: which account at the gateway its secrets open, as the gateway itself calls
    it; None if the table names none. `webhook_secrets`: any of them verifies an event, so that one can be exchanged.
    Times in seconds; `fee_fixed_minor` in minor units of the charge's currency, `fee_basis_points` in 1/100 percent.
    `amounts` by currency. `max_concurrent`: calls at once over all workers; None: only each process's own limit applies.
    `calls_per_s`: calls and look-ups that may begin in a second over all workers; None: any number.
    `latency_target_ms`: a charge within this time counts as fast; being faster earns nothing more. `ca_bundle`: who vouches
    for the gateway, in place of whom the process trusts. `certificate`, `certificate_key`: what we show it. `proxy`: the
    URL of the one to go through, which may hold a password.
    """

    name: str
    adapter: str
    base_url: str
    api_key: str = field(repr=False)
    mode: Mode = "test"
    account: str | None = None
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    connect_timeout_s: float = 2.0
    timeout_s: float = 8.0
    max_connections: int = 1024
    ca_bundle: Path | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None
    proxy: str = field(default="", repr=False)
    currencies: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    fee_fixed_minor: int | None = None
    fee_basis_points: int | None = None
    amounts: Mapping[str, AmountLimits] = field(default_factory=dict)
    max_concurrent: int | None = None
    calls_per_s: int | None = None
    latency_target_ms: int = 1000
    breaker: BreakerLimits = field(default_factory=BreakerLimits)
    retry: RetryLimits = field(default_factory=RetryLimits)
    enabled: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slowest_call_s(self) -> float:
        """The longest that one call can take."""
        return self.connect_timeout_s + self.timeout_s


# Terms that were added after fingerprints began to be stored.
_SENT_SINCE = ("statement_descriptor", "off_session", "mandate", "order_lines")


class GatewayRequest(Struct, frozen=True):
    """One call. `idempotency_key` is also our reference at the gateway: stable for the operation, stored before sending.

    `terms` are the payment's, with the payment method as this gateway may see it: its own token stands as `token`, and the
    tokens of others don't stand there. A capture or refund carries them with its own amount. `gateway_ref` is what an
    earlier step of the same payment returned: None on the first step, the charge's id for a capture, void or refund.
    `final`, of a capture: whether what is left of the hold is to be released. `confirm`: what the payer brought back, of a
    confirm. `payer`: what the gateway takes of who pays.
    """

    operation: Operation
    payment_id: str
    idempotency_key: str
    terms: PaymentTerms
    gateway_ref: str | None = None
    final: bool = True
    confirm: Confirm | None = None
    payer: Payer | None = None

    @property
    def amount(self) -> Money:
        """The amount that this call is to move."""
        return self.terms.amount

    @property
    def capture(self) -> bool:
        """Whether a charge takes the money at once; otherwise the funds are only held."""
        return self.terms.capture_method == "automatic"

    @property
    def expected(self) -> Expected:
        """What the answer must be about, to be an answer to this call."""
        return Expected(keys_of_same_hop(self.idempotency_key), self.gateway_ref, self.amount)

    def fingerprint(self) -> str:
        """SHA-256 over what is sent, so that a replay can be shown to carry the same body.

        It is stored with each attempt, and an attempt must stay repeatable after an upgrade. So a term that was added
        later is left out of the hash while it is None: the hash is then the same as before the term existed.

        Of the payer it covers only which fields are sent. That is enough, because the details of a payment's payer never
        change: they are there, or they were erased, and then this is another hash and nothing is repeated. A hash of the
        details themselves would stay when they are gone, and an e-mail address or an IP address can be guessed from one.
        """
        terms = self.terms
        body: list[Any] = [
            self.operation,
            self.payment_id,
            self.idempotency_key,
            terms.amount.minor,
            terms.amount.currency,
            dict(terms.payment_method),
            self.capture,
            self.gateway_ref,
            terms.customer.get("id"),
            terms.description,
            terms.return_url,
        ]
        since = {name: value for name in _SENT_SINCE if (value := getattr(terms, name)) is not None}
        if not self.final:
            since["final"] = False
        if self.confirm is not None:
            since["confirm"] = self.confirm.digest
        if self.payer is not None:
            since["payer"] = self.payer.fields
        if since:
            body.append(since)
        return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class StatusQuery(Struct, frozen=True):
    """Asks what became of `operation`: by `gateway_ref` where the gateway told us one, else by our `reference`.

    A payment that exists at the gateway without `operation` having happened is `NotFound` for that operation. `amount`:
    what we asked the gateway to move; an answer that shows other money is `Unknown` of kind MISMATCH (design D18).
    Of a capture, void or refund `gateway_ref` is the charge's, and `own_ref` what the gateway called the operation itself,
    where it told us.
    """

    operation: Operation
    reference: str
    gateway_ref: str | None = None
    amount: Money | None = None
    own_ref: str | None = None

    @property
    def expected(self) -> Expected:
        """What the answer must be about, to be an answer to this look-up."""
        return Expected(keys_of_same_hop(self.reference), self.gateway_ref, self.amount)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the gateway answers at all, and how fast. The code that makes the call measures the time."""

    ok: bool
    latency_ms: int = 0
    detail: str = ""


class GatewayEvent(Struct, frozen=True):
    """One thing that a gateway told us, authenticated and translated. A hint to ask it, never a fact by itself.

    `event_id`: by what the gateway itself tells two events apart, the same in every delivery: its event's id, or where it
    gives none, what identifies the event (Adyen: pspReference, eventCode and success). `reference`: the key of the call
    that made the payment there. `mode` and `account`: what the event says it is of; None where it does not say.
    `kind`: `payment.` and its status now: created, requires_action, authenticated, pending, authorized, succeeded, failed,
    voided or refunded; if none of these fits, the gateway's own word. `amount`: the payment's, if the event shows it.
    """

    event_id: str
    reference: str | None
    gateway_ref: str | None
    kind: str
    amount: Money | None = None
    mode: Mode | None = None
    account: str | None = None


class Adapter(Protocol):
    """One named gateway, translated. It keeps no state between operations, so several threads may use it.

    `decline_codes`: the gateway's codes, translated to those of `domain.declines`; the same for every instance. A code
    that is missing here is a `generic_decline`.
    """

    decline_codes: ClassVar[Mapping[str, str]]
    config: GatewayConfig
    capabilities: Capabilities

    def initiate(self, request: GatewayRequest) -> Flow[Outcome]:
        """Create the payment at the gateway without moving money."""

    def authenticate(self, request: GatewayRequest) -> Flow[Outcome]:
        """Make the gateway accept the payer; `ActionRequired` if the payer must act."""

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        """Charge, or authorize when `request.capture` is False."""

    def confirm(self, request: GatewayRequest) -> Flow[Outcome]:
        """Hand over what the payer brought back, `request.confirm.data`. The outcome is that of the step that waits for it.

        A gateway whose look-ups tell that the payer has acted needs none (`Capabilities.confirms`).
        """

    def capture(self, request: GatewayRequest) -> Flow[Outcome]:
        """Capture `request.amount` of the hold `request.gateway_ref`, and release the rest if the request is `final`.

        `Approved.gateway_ref` is the capture's own id, or the charge's where captures have none. A hold that can't be
        captured any more is `Declined`. A gateway that only takes the request in answers `Pending`.
        """

    def void(self, request: GatewayRequest) -> Flow[Outcome]:
        """Release what is left of the hold `request.gateway_ref`; `Declined` where it is captured, released or expired."""

    def refund(self, request: GatewayRequest) -> Flow[Outcome]:
        """Return `request.amount` of the charge `request.gateway_ref`.

        `Approved.gateway_ref` is the refund's own id. `Pending` where the gateway decides later: it is asked again.
        """

    def get_status(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome of an operation, looked up by the gateway's own id."""

    def find_by_reference(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome of an operation, looked up by our reference, for calls whose answer never came."""

    def health_check(self) -> Flow[Health]:
        """One cheap call that moves nothing."""

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check signature and age, then translate all events in the body. Raises `errors.InvalidWebhook`."""

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """What a GET of the webhooks' address is answered with, where the gateway tries it out before it posts to it.

        Raises `errors.InvalidWebhook` for what is no challenge of this gateway.
        """


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
    ) -> None:
        """Carry out the request's operation. `may_leave` is asked just before anything leaves that changes something; if it
        says no, nothing is sent.
        """

    def ask(self, query: StatusQuery, done: Callable[[Lookup], None]) -> None:
        """Look up what became of an operation, by the gateway's own id if it is known, else by our reference."""

    def ask_and_wait(self, query: StatusQuery) -> Lookup:
        """As `ask`, for callers who have nothing else to do meanwhile."""

    def health_check(self) -> Health:
        """Wait for whether the gateway answers, and how fast."""

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check signature and age, then translate all events in the body. Raises `errors.InvalidWebhook`."""

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """What a GET of the webhooks' address is answered with, where the gateway tries it out before it posts to it.

        Raises `errors.InvalidWebhook` for what is no challenge of this gateway.
        """

    def close(self) -> None:
        """Close kept-alive connections."""
