"""The adapter of Stripe."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Unknown,
)
from aegis_worker.errors import ConfigurationError, InvalidWebhook

from ..base import GatewayEvent
from ..capabilities import Capabilities
from ..config import GatewayConfig
from ..kit.allow_list import AllowList
from ..kit.amounts import AmountNotTaken
from ..kit.flows import Flow, HttpAnswer, opened
from ..kit.probing import Probed, probed
from ..requests import DisputeQuery, GatewayRequest, StatusQuery
from .allow_list import STRIPE
from .amounts import AMOUNTS
from .answers import Reader
from .calls import call_for, headers_for, list_refunds, look_up_intent, look_up_refund, probe_call
from .codes import DECLINE_CODES
from .disputes import found_dispute, look_up_dispute
from .look_ups import found_intent, found_refund, has_more, last_id, with_refunds
from .objects import IDENTITY
from .webhook import read_webhook

# "At least 24 hours": docs.stripe.com/api/idempotent_requests.
_KEY_LIFETIME_S = 86_400
# How long a confirmation may be on its way after its connection broke.
_ABSENCE_WINDOW_S = 120
# Of a hundred refunds each. An intent with more is looked at by a person.
_MOST_PAGES = 5
# Where the charge does not say: docs.stripe.com/payments/place-a-hold-on-a-payment-method.
_HOLD_S = 7 * 86_400
# Not the e-mail address: Stripe would write to the payer. What else it wants to know Stripe.js finds out.
_OF_THE_PAYER = frozenset({"shipping_address"})
_OPTIONS = {"absence_window_s", "connected", "multicapture", "publishable_key"}
_KEYS = {"live": ("sk_live_", "rk_live_"), "test": ("sk_test_", "rk_test_")}


class StripeAdapter:
    """One account at Stripe, or one that is connected to it.

    Options: `publishable_key` (`pk_…`, which Stripe.js needs for 3-D Secure in the shop's page), `connected` (true: the
    key is a platform's, and calls act for the connected account that the table names), `multicapture` (true where Stripe
    gave the account several captures of a hold), `absence_window_s`.
    """

    decline_codes: ClassVar[Mapping[str, str]] = DECLINE_CODES
    allow_list: ClassVar[AllowList] = STRIPE

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        options = _checked(config)
        self._multicapture: bool = options.get("multicapture", False)
        self.capabilities = Capabilities(
            steps=(Operation.INITIATE, Operation.PROCESS),
            key_lifetime_s=_KEY_LIFETIME_S,
            absence_window_s=options.get("absence_window_s", _ABSENCE_WINDOW_S),
            identity=IDENTITY,
            amounts=AMOUNTS,
            several_captures=self._multicapture,
            reopens=True,
            hold_s=_HOLD_S,
            payer=_OF_THE_PAYER,
            cards=True,
            three_ds=frozenset({"card"}),
        )
        acts_for = config.account if options.get("connected") else None
        self._headers = headers_for(config.api_key, acts_for)
        self._reader = Reader(config.mode, options.get("publishable_key", ""))

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        """One POST. Only the confirmation of an intent moves money, and carries a card of the vault."""
        if request.operation is not Operation.INITIATE and request.gateway_ref is None:
            return NotSent("there is no intent yet")
        card = (yield from opened(request.vaulted)) if request.vaulted is not None else None
        if isinstance(card, Declined):
            return card
        try:
            call = call_for(request, self._headers, card, multicapture=self._multicapture)
        except AmountNotTaken as problem:
            return Declined("invalid_request", "amount_step", str(problem))
        answer = yield call
        return self._reader.outcome(request, answer)

    # Each operation is one POST. The request says where it goes.
    initiate = capture = void = refund = close = process

    def authenticate(self, request: GatewayRequest) -> Flow[Outcome]:
        """No step of Stripe's: confirming an intent says whether the payer has to act."""
        yield from ()
        return NotSent("Stripe has no such step")

    # Payers bring nothing back that Stripe wants: the intent is asked again.
    confirm = authenticate

    def get_status(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome of an operation, by the intent's id; of a refund, by its own or among the intent's.

        The movements of a charge take the list of its refunds besides.
        """
        if query.operation is Operation.REFUND:
            answer = yield look_up_refund(query, self._headers)
            return found_refund(query, answer)
        answer = yield look_up_intent(query, self._headers)
        found = found_intent(query, answer, self._reader)
        if not query.movements or not isinstance(found, Approved) or found.movements is None:
            return found
        pages: list[HttpAnswer] = []
        while len(pages) < _MOST_PAGES:
            pages.append((yield list_refunds(query.gateway_ref, last_id(pages), self._headers)))
            if not has_more(pages[-1]):
                break
        return with_refunds(query, found, pages)

    def find_by_reference(self, query: StatusQuery) -> Flow[Lookup]:
        """Without a call: Stripe finds nothing by our reference in time (its search lags by minutes).

        An intent whose creation was not answered has moved nothing, whether it exists or not; the same key gives its id.
        """
        yield from ()
        if query.operation is Operation.INITIATE:
            return NotFound()
        return Unknown("Stripe can't be asked without the intent's id")

    def get_dispute(self, query: DisputeQuery) -> Flow[DisputeLookup]:
        """GET of the dispute. `charge_ref` is the intent's id."""
        answer = yield look_up_dispute(query, self._headers)
        return found_dispute(query, answer, self.config.mode)

    def probe(self) -> Flow[Probed]:
        """One call that lists one refund."""
        answer = yield probe_call(self._headers)
        return probed(answer, 200)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check signature and age, then translate, see `webhook`. Raises InvalidWebhook."""
        return (read_webhook(self.config.webhook_secrets, headers, body, time.time()),)

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """Raises InvalidWebhook, because Stripe posts without trying the address out."""
        raise InvalidWebhook("Stripe sends no challenges")


def _checked(config: GatewayConfig) -> Mapping[str, Any]:
    """The options. Raises ConfigurationError that names the wrong one."""
    where, options = f"gateways.{config.name}", config.options
    if unknown := set(options) - _OPTIONS:
        raise ConfigurationError(f"{where}.options: unknown option {', '.join(sorted(unknown))}")
    for option in ("connected", "multicapture"):
        if not isinstance(options.get(option, False), bool):
            raise ConfigurationError(f"{where}.options.{option}: must be true or false")
    key = options.get("publishable_key", "pk_")
    if not isinstance(key, str) or not key.startswith("pk_") or not key.isprintable():
        raise ConfigurationError(f"{where}.options.publishable_key: must begin with pk_")
    if options.get("connected") and not str(config.account).startswith("acct_"):
        raise ConfigurationError(f"{where}.account: must name the connected account, acct_…")
    window_s = options.get("absence_window_s", _ABSENCE_WINDOW_S)
    if isinstance(window_s, bool) or not isinstance(window_s, int | float) or not 0 <= window_s < math.inf:
        raise ConfigurationError(f"{where}.options.absence_window_s: must be a number of seconds, 0 or more")
    other = "test" if config.mode == "live" else "live"
    if config.api_key.startswith(_KEYS[other]):
        raise ConfigurationError(f'{where}: the API key is a {other} one, and mode = "{config.mode}"')
    return options
