"""The adapter of the sandbox gateway (aegis_worker/emulator), written as an adapter of any real gateway would be."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.outcomes import Lookup, Operation, Outcome
from aegis_worker.domain.payer import FIELDS
from aegis_worker.errors import ConfigurationError, InvalidWebhook

from ..base import GatewayEvent
from ..capabilities import Capabilities
from ..config import GatewayConfig
from ..kit.allow_list import AllowList
from ..kit.amounts import Amounts
from ..kit.flows import Flow
from ..kit.probing import Probed, probed
from ..requests import DisputeQuery, GatewayRequest, StatusQuery
from .allow_list import SANDBOX
from .answers import outcome
from .calls import (
    FIRST_CALLS,
    INSTRUMENTS,
    call_for,
    look_up_by_id,
    look_up_by_reference,
    probe_call,
    refused_call,
)
from .codes import DECLINE_CODES
from .disputes import found_dispute, look_up_dispute
from .look_ups import found_by_id, found_by_reference
from .payment import IDENTITY
from .webhook import read_webhook

_SWITCHES = ("holds", "partial_captures", "several_captures", "voids", "partial_refunds")
# Each sandbox takes the test tokens of all. Another token has to be given as the sandbox's own.
_TEST_TOKEN = re.compile(r"tok_[A-Za-z0-9_]+")


class SandboxAdapter:
    """One sandbox instance. Options: `steps`, `key_lifetime_s` (0: it has no idempotency keys), `absence_window_s`,
    `amount_steps` (by currency, what amounts must be a multiple of), and, true unless said otherwise, `holds`,
    `partial_captures`, `several_captures`, `voids`, `partial_refunds`.
    """

    decline_codes: ClassVar[Mapping[str, str]] = DECLINE_CODES
    allow_list: ClassVar[AllowList] = SANDBOX

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        self.capabilities = _capabilities(config)
        self._headers = {"Authorization": f"Bearer {config.api_key}", "Content-Type": "application/json"}

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        """One POST. If there is no payment at the gateway yet, it makes one."""
        call = call_for(request, self._headers)
        answer = yield refused_call(call) if self._asks_for_refusal(request) else call
        return outcome(request, answer)

    # Each operation is one POST. The request says where it goes.
    initiate = authenticate = confirm = capture = void = refund = close = process

    def _asks_for_refusal(self, request: GatewayRequest) -> bool:
        token = request.terms.payment_method.get("token")
        return token in ("tok_refused", f"tok_refused_at_{self.config.name}")

    def get_status(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome of an operation, looked up by the gateway's id."""
        answer = yield look_up_by_id(query, self._headers)
        return found_by_id(query, answer)

    def find_by_reference(self, query: StatusQuery) -> Flow[Lookup]:
        """The outcome, looked up by our reference. If several payments carry it, the one that got furthest counts,
        with the others as its twins.
        """
        answer = yield look_up_by_reference(query, self._headers)
        return found_by_reference(query, answer)

    def get_dispute(self, query: DisputeQuery) -> Flow[DisputeLookup]:
        """GET of the dispute."""
        answer = yield look_up_dispute(query, self._headers)
        return found_dispute(query, answer)

    def probe(self) -> Flow[Probed]:
        """A look-up of a payment that there can't be."""
        answer = yield probe_call(self._headers)
        return probed(answer, 404)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Check signature and age, then translate, see `webhook`. Raises InvalidWebhook."""
        return (read_webhook(self.config.webhook_secrets, headers, body, time.time()),)

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        """Raises InvalidWebhook, because the sandbox posts without trying the address out."""
        raise InvalidWebhook("the sandbox sends no challenges")


def _capabilities(config: GatewayConfig) -> Capabilities:
    where = f"gateways.{config.name}.options"
    known = {"steps", "key_lifetime_s", "absence_window_s", "amount_steps", *_SWITCHES}
    unknown = set(config.options) - known
    if unknown:
        raise ConfigurationError(f"{where}: unknown option {', '.join(sorted(unknown))}")
    wanted = config.options.get("steps", ["process"])
    steps = tuple(step for step in FIRST_CALLS if isinstance(wanted, list) and step in wanted)
    if list(steps) != wanted or Operation.PROCESS not in steps:
        raise ConfigurationError(
            f"{where}.steps: out of {', '.join(FIRST_CALLS)}, in this order, with process"
        )
    holds, partial_captures, several_captures, voids, partial_refunds = (
        _is_on(where, config, switch) for switch in _SWITCHES
    )
    return Capabilities(
        steps=steps,
        key_lifetime_s=_seconds(where, config, "key_lifetime_s", 86_400),
        absence_window_s=_seconds(where, config, "absence_window_s", 120),
        identity=IDENTITY,
        amounts=Amounts(steps=_amount_steps(where, config)),
        holds=holds,
        partial_captures=partial_captures,
        several_captures=several_captures,
        voids=voids,
        partial_refunds=partial_refunds,
        methods={method: frozenset({field}) for method, field in INSTRUMENTS.items()},
        bare_tokens=_TEST_TOKEN,
        confirms=True,
        payer=FIELDS,
        three_ds=frozenset(INSTRUMENTS),
        shows_twins=True,
    )


def _amount_steps(where: str, config: GatewayConfig) -> dict[str, int]:
    steps = config.options.get("amount_steps", {})
    good = isinstance(steps, dict) and all(
        currency in EXPONENTS and type(step) is int and step > 0 for currency, step in steps.items()
    )
    if not good:
        raise ConfigurationError(f"{where}.amount_steps: must be a table of ISO 4217 codes and whole numbers")
    return dict(steps)


def _is_on(where: str, config: GatewayConfig, switch: str) -> bool:
    value = config.options.get(switch, True)
    if not isinstance(value, bool):
        raise ConfigurationError(f"{where}.{switch}: must be true or false")
    return value


def _seconds(where: str, config: GatewayConfig, option: str, default: float) -> float:
    value = config.options.get(option, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ConfigurationError(f"{where}.{option}: must be a number of seconds, 0 or more")
    return value
