"""The adapter of Adyen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.outcomes import Declined, Lookup, NotSent, Operation, Outcome
from aegis_worker.errors import ConfigurationError, InvalidWebhook

from ..base import GatewayEvent
from ..capabilities import Capabilities
from ..config import GatewayConfig
from ..kit.allow_list import AllowList
from ..kit.amounts import AmountNotTaken
from ..kit.flows import Flow, Recall, opened, recalled
from ..kit.probing import Probed, probed
from ..requests import DisputeQuery, GatewayRequest, StatusQuery
from .allow_list import ADYEN
from .amounts import AMOUNTS
from .answers import Reader
from .calls import Calls, NothingBroughtBack
from .codes import DECLINE_CODES
from .disputes import found_dispute
from .methods import HELD_ONLY, METHODS, PROVIDERS
from .objects import IDENTITY
from .payer import TAKEN
from .told import found
from .webhook import key_of, read_webhook

# Adyen's page says 7 days in some copies and 31 in others: docs.adyen.com/development-resources/api-idempotency.
_KEY_LIFETIME_S = 7 * 86_400
_OPTIONS = {"hold_s", "key_lifetime_s", "multiple_partial_captures", "return_url"}
_TEST_HOST, _LIVE_HOSTS = "checkout-test.adyen.com", "-checkout-live.adyenpayments.com"


class AdyenAdapter:
    """One merchant account at Adyen, which its table's `account` names.

    Options: `return_url` (where payers come back to whose payment names no page; Adyen takes no payment without one),
    `multiple_partial_captures` (true where Adyen has switched them on for the account), `key_lifetime_s`, `hold_s` (as long
    as the account holds; it differs by scheme and account, so without it merchants are not told before a hold ends).
    """

    decline_codes: ClassVar[Mapping[str, str]] = DECLINE_CODES
    allow_list: ClassVar[AllowList] = ADYEN

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        options, account = _checked(config)
        self.capabilities = Capabilities(
            steps=(Operation.PROCESS,),
            key_lifetime_s=options.get("key_lifetime_s", _KEY_LIFETIME_S),
            # What was not told is never absent, however long ago it was sent.
            absence_window_s=0,
            identity=IDENTITY,
            look_ups=frozenset(),
            amounts=AMOUNTS,
            methods=METHODS,
            providers=PROVIDERS,
            held_only=HELD_ONLY,
            payer=TAKEN,
            cards=True,
            three_ds=frozenset({"card"}),
            several_captures=options.get("multiple_partial_captures", False),
            confirms=True,
            hold_s=options.get("hold_s"),
            closes=False,
        )
        self._calls = Calls(config.api_key, account, options["return_url"])
        self._reader = Reader(config.mode, account)

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        """One POST. Charges, and what follows 3-D Secure, move money; what changes a payment is only taken in."""
        card = (yield from opened(request.vaulted)) if request.vaulted is not None else None
        if isinstance(card, Declined):
            return card
        try:
            call = self._calls.of(request, card)
        except AmountNotTaken as problem:
            return Declined("invalid_request", "amount_step", str(problem))
        except NothingBroughtBack as problem:
            return Declined("invalid_request", "nothing_brought_back", str(problem))
        answer = yield call
        return self._reader.outcome(request, answer)

    # Each operation is one POST. The request says where it goes.
    confirm = capture = void = refund = process

    def initiate(self, request: GatewayRequest) -> Flow[Outcome]:
        """No call of Adyen's: one charges."""
        yield from ()
        return NotSent("Adyen has no such call")

    # A payer's doing moves nothing before it is handed over, or captured, and Adyen cancels nothing that is not authorised.
    authenticate = close = initiate

    def get_status(self, query: StatusQuery) -> Flow[Lookup]:
        """Without a call, because Adyen has no look-ups: by what its webhooks have told, see `told`."""
        return found(query, (yield from recalled(Recall(query.reference))))

    find_by_reference = get_status

    def get_dispute(self, query: DisputeQuery) -> Flow[DisputeLookup]:
        """Without a call, as `get_status`."""
        return found_dispute(query, (yield from recalled(Recall(dispute_ref=query.dispute_ref))))

    def probe(self) -> Flow[Probed]:
        """One call that asks which methods the account takes. A key of another account is refused."""
        answer = yield self._calls.probe()
        return probed(answer, 200)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check each item's signature, then translate, see `webhook`. They have no age. Raises InvalidWebhook."""
        return read_webhook(self.config.webhook_secrets, body)

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """Raises InvalidWebhook, because Adyen posts without trying the address out."""
        raise InvalidWebhook("Adyen sends no challenges")


def _checked(config: GatewayConfig) -> tuple[Mapping[str, Any], str]:
    """The options, and the merchant account. Raises ConfigurationError that names the wrong one."""
    where, options = f"gateways.{config.name}", config.options
    if unknown := set(options) - _OPTIONS:
        raise ConfigurationError(f"{where}.options: unknown option {', '.join(sorted(unknown))}")
    if not isinstance(options.get("multiple_partial_captures", False), bool):
        raise ConfigurationError(f"{where}.options.multiple_partial_captures: must be true or false")
    for name in ("key_lifetime_s", "hold_s"):
        given = options.get(name, 1)
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < math.inf:
            raise ConfigurationError(f"{where}.options.{name}: must be a number of seconds above 0")
    _check_return_url(where, options.get("return_url"))
    if config.account is None:
        raise ConfigurationError(f"{where}.account: must name the merchant account")
    for secret in config.webhook_secrets:
        try:
            key_of(secret)
        except ValueError as problem:
            raise ConfigurationError(f"{where}: webhook_secret: {problem}") from problem
    _check_place(where, config)
    return options, config.account


def _check_return_url(where: str, url: Any) -> None:
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or not url.isprintable():
        raise ConfigurationError(
            f"{where}.options.return_url: must be the page where payers come back, such as https://shop.example/back"
        )


def _check_place(where: str, config: GatewayConfig) -> None:
    """The live API is reached under a prefix of the company's own: docs.adyen.com/development-resources/live-endpoints."""
    place = urlsplit(config.base_url)
    host, path = place.hostname or "", place.path.rstrip("/")
    is_test, is_live = host == _TEST_HOST, host.endswith(_LIVE_HOSTS)
    if (is_test and config.mode == "live") or (is_live and config.mode == "test"):
        raise ConfigurationError(f'{where}.base_url: is none for mode = "{config.mode}"')
    if is_live and path != "/checkout":
        raise ConfigurationError(f"{where}.base_url: must be https://PREFIX{_LIVE_HOSTS}/checkout")
