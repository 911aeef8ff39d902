"""What a gateway is asked to do, and what it is asked about what it did."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from msgspec import Struct

from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.gateway_keys import keys_of_same_hop
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.terms import PaymentTerms

from .kit.flows import OpenCard
from .kit.identity import Expected

# Terms that were added after fingerprints began to be stored.
_SENT_SINCE = (
    "statement_descriptor",
    "off_session",
    "mandate",
    "order_lines",
    "setup_future_usage",
    "off_session_reason",
    "network_transaction_id",
)

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


class GatewayRequest(Struct, frozen=True):
    """One call. `idempotency_key` is also our reference at the gateway: stable for the operation, stored before sending.

    `terms` are the payment's, with the payment method as this gateway may see it: its own token stands as `token`, and the
    tokens of others don't stand there. A capture or refund carries them with its own amount. `gateway_ref` is what an
    earlier step of the same payment returned: None on the first step, the charge's id for a capture, void or refund.
    `final`, of a capture: whether what is left of the hold is to be released. `confirm`: what the payer brought back, of a
    confirm. `payer`: what the gateway takes of who pays. `vaulted`, of the call that charges: the card of the vault that it
    is to carry, where the payment has one. Only whoever makes the call opens it, so a request never holds a card number.
    `three_ds`: the payer has to authenticate by 3-D Secure; only where `Capabilities.demands_three_ds` says that it can.
    """

    operation: Operation
    payment_id: str
    idempotency_key: str
    terms: PaymentTerms
    gateway_ref: str | None = None
    final: bool = True
    confirm: Confirm | None = None
    payer: Payer | None = None
    vaulted: OpenCard | None = None
    three_ds: bool = False

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

        Of a card of the vault it covers what the payment knows of it, so no number can be guessed from it. Card and number
        stay the same as long as the vault holds them, and with the payment it is settled whether the security code is sent.

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
        if self.three_ds:
            since["three_ds"] = True
        if since:
            body.append(since)
        return hashlib.sha256(_ENCODER.encode(body).encode()).hexdigest()


class StatusQuery(Struct, frozen=True):
    """Asks what became of `operation`: by `gateway_ref` where the gateway told us one, else by our `reference`.

    A payment that exists at the gateway without `operation` having happened is `NotFound` for that operation. `amount`:
    what we asked the gateway to move; an answer that shows other money is `Unknown` of kind MISMATCH (design D18).
    Of a capture, void or refund `gateway_ref` is the charge's, and `own_ref` what the gateway called the operation itself,
    where it told us. `movements`: of a charge, also what was done with it since (`Approved.movements`). `capture`: of a
    charge, whether it was to take the money at once; some gateways don't show that. `twins`: of a charge that is looked up
    by the gateway's id, also what else carries our reference (`Approved.twins`).
    """

    operation: Operation
    reference: str
    gateway_ref: str | None = None
    amount: Money | None = None
    own_ref: str | None = None
    movements: bool = False
    capture: bool = True
    twins: bool = False

    @property
    def expected(self) -> Expected:
        """What the answer must be about, to be an answer to this look-up."""
        return Expected(keys_of_same_hop(self.reference), self.gateway_ref, self.amount)


class DisputeQuery(Struct, frozen=True):
    """Asks how a dispute stands, by the gateway's own id of it. `charge_ref`: of the charge that it has to be about."""

    dispute_ref: str
    charge_ref: str
