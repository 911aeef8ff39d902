"""What a gateway tells the conformance suite of itself: its adapter, its emulator, its cards, its reasons to skip."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from aegis_worker.domain.outcomes import Operation, Outcome
from aegis_worker.emulator.altering import altered
from aegis_worker.emulator.scripts import Wire
from aegis_worker.gateways.base import Adapter
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.requests import GatewayRequest

from .emulator import RunningEmulator, running_emulator
from .numbered import NumberedCard

WEBHOOK_SECRET = "whsec_conformance"
# No scenario but one waits for it, and a busy machine may take seconds to answer.
TIMEOUT_S = 20.0
Body: TypeAlias = dict[str, Any]
Signed: TypeAlias = tuple[Mapping[str, str], bytes]


@dataclass(frozen=True)
class Paid:
    """A charge: its last call, what came of it, and what the gateway called it."""

    request: GatewayRequest
    outcome: Outcome
    ref: str | None

    @property
    def charge(self) -> str:
        """The gateway's id of the charge."""
        assert self.ref is not None, self.outcome
        return self.ref


def _with_other(wire: Wire, body: Body) -> Body:
    changed: Body = json.loads(altered(json.dumps(body).encode(), wire))
    return changed


def _of_another_payment(body: Body) -> Body:
    return _with_other(Wire.OTHER_PAYMENT, body)


def _with_other_money(body: Body) -> Body:
    return _with_other(Wire.OTHER_AMOUNT, body)


def _refunded_in_the_dashboard(emulator: RunningEmulator, ref: str, minor: int) -> None:
    answer = emulator.post(f"/v1/payments/{ref}/refund", {"amount": minor})
    assert answer.status == 200, answer.body


@dataclass(frozen=True)
class Subject:
    """One gateway. `name`: of its adapter, its table and its emulator's wire format.

    `skips`: by scenario, or by group of scenarios (`disputes`), the gateway's own reason why it has no such thing.
    What its `Capabilities` exclude, and what it has no card for here, is skipped by itself.

    `emulator`: started in a folder with further flags; by default the wire format of its name. `signature_header`:
    that of the scheme `t=<seconds>,v1=<HMAC-SHA-256 of "t.body">`; another scheme gives `signed`. `other_payment` and
    `other_money` change the body of an answer so that it is about something else than what was asked; `read` and
    `write` turn it from bytes and into them. `settle`: has a charge settled, at a gateway that refunds it only then.
    `refund_by_hand`: as in the gateway's dashboard. `pending_refund` and `late_refund`: of cards whose refunds are
    pending, or fail after they had succeeded. `page_token`: of a card that wants 3-D Secure in the shop's page, and
    `page_secret` what its action holds for the library there. `brought_back`: what the payer brings from there, by
    the action's data. `paid_there`: of a gateway that takes no tokens, what the payer brings back who pays there by
    this token; empty if nothing yet. `page_made`: a token of the shop's page that comes with the confirmation.
    `saved_card`: saves a card with a customer, and gives the token that stands for both. `charged`: what an event
    says of a charge. `secret`: a webhook secret by its name. `signed`: headers and body of a webhook that was made at
    a time, under several secrets; `unsigned`: its body without a signature; `of_unknown_kind`: its body, of another
    event; `tampered`: with another amount; `opened`: what it says, where that can't be read in it. `for_others`:
    options of a table that acts for another account. `vouched`: settings that say who vouches for its webhooks.
    `words`: by our code of a decline, the one that its word for it becomes. `cards`: of a gateway that takes cards by
    number, one that ends as `insufficient_funds`, and one that wants `three_d_secure`. `shows_disputes`: whether a
    charge shows that it is disputed. `told_of`: what each event about a charge names.
    """

    name: str
    adapter: Callable[[GatewayConfig], Adapter]
    api_key: str
    signature_header: str = ""
    emulator: Callable[..., AbstractContextManager[RunningEmulator]] | None = None
    other_payment: Callable[[Any], Any] = _of_another_payment
    other_money: Callable[[Any], Any] = _with_other_money
    read: Callable[[bytes], Any] = json.loads
    write: Callable[[Any], bytes] = lambda body: json.dumps(body).encode()
    settle: Callable[[Any, str], None] = lambda emulator, ref: None
    refund_by_hand: Callable[[Any, str, int], None] = _refunded_in_the_dashboard
    page_token: str = ""
    pending_refund: str = "tok_pending_1_on_refund"
    late_refund: str = "tok_fails_late_1"
    brought_back: Callable[[Any, Mapping[str, Any]], Body] = lambda emulator, data: {}
    paid_there: Callable[[Any, Mapping[str, Any], str], Body] | None = None
    page_made: str = ""
    saved_card: Callable[[Any], str] | None = None
    page_secret: str = "client_secret"
    charged: str = "payment.succeeded"
    account: str | None = None
    secret: Callable[[str], str] = lambda name: name
    signed: Callable[[Any, bytes, int, Sequence[str]], Signed] | None = None
    unsigned: Callable[[bytes], bytes] = lambda body: body
    of_unknown_kind: Callable[[bytes], bytes] = lambda body: body.replace(
        b'"type": "payment', b'"type": "weather.changed.payment', 1
    )
    tampered: Callable[[bytes], bytes] = lambda body: body.replace(b"1999", b"9999").replace(
        b"19.99", b"99.99"
    )
    opened: Callable[[bytes], bytes] = lambda body: body
    options: Mapping[str, Any] = field(default_factory=dict)
    for_others: Mapping[str, Any] = field(default_factory=dict)
    vouched: Callable[[Any], Mapping[str, Any]] = lambda emulator: {}
    words: Mapping[str, str] = field(default_factory=dict)
    cards: Mapping[str, NumberedCard] = field(default_factory=dict)
    shows_disputes: bool = True
    told_of: Callable[[Paid], str] = lambda paid: paid.charge
    skips: Mapping[str, str] = field(default_factory=dict)

    def config(self, base_url: str, **changes: Any) -> GatewayConfig:
        """The gateway's table."""
        given: dict[str, Any] = {
            "name": self.name,
            "adapter": self.name,
            "base_url": base_url,
            "api_key": self.api_key,
            "account": self.account,
            "webhook_secrets": (self.secret(WEBHOOK_SECRET),),
            "timeout_s": TIMEOUT_S,
            "options": self.options,
        }
        return GatewayConfig(**given | changes)

    @contextmanager
    def running(self, folder: Path, webhooks_to: str) -> Iterator[RunningEmulator]:
        """Its emulator, which sends its webhooks to this address."""
        flags = ("--webhook-url", webhooks_to, "--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET")
        env = {"SANDBOX_WEBHOOK_SECRET": self.secret(WEBHOOK_SECRET)}
        start = self.emulator or partial(running_emulator, self.name, self.api_key)
        with start(folder, *flags, env=env) as emulator:
            yield emulator

    def why_not(self, scenario: str, group: str) -> str | None:
        """Why the gateway has no such scenario. None where it is run."""
        said = self.skips.get(scenario) or self.skips.get(group)
        need = _NEEDS.get(scenario) or _NEEDS.get(group)
        if said is not None or need is None:
            return said
        is_there, reason = need
        return None if is_there(self, self.adapter(self.config("http://127.0.0.1:1"))) else reason


_There: TypeAlias = Callable[[Subject, Adapter], bool]


def _has(adapter: Adapter, operation: str) -> bool:
    """Whether the adapter has an operation of its own."""
    return getattr(type(adapter), operation) is not getattr(Adapter, operation)


_CLOSES: tuple[_There, str] = (
    lambda subject, adapter: adapter.capabilities.closes,
    "cancels nothing that waits for its payer",
)
_CONFIRMS: tuple[_There, str] = (
    lambda subject, adapter: adapter.capabilities.confirms and bool(subject.page_token),
    "is handed nothing that payers bring back",
)
_HOLDS: tuple[_There, str] = (lambda subject, adapter: adapter.capabilities.holds, "holds no funds")
_VOIDS: tuple[_There, str] = (
    lambda subject, adapter: adapter.capabilities.holds and adapter.capabilities.voids,
    "releases no holds",
)
_BY_NUMBER: tuple[_There, str] = (
    lambda subject, adapter: adapter.capabilities.cards,
    "takes no card numbers",
)
_DEMANDS: tuple[_There, str] = (
    lambda subject, adapter: (
        "card" in adapter.capabilities.three_ds and adapter.capabilities.three_ds_tokens is None
    ),
    "can't be told to have a payer authenticated after the call",
)
# What a scenario needs of a gateway, and what is said of one that does not have it.
_NEEDS: Mapping[str, tuple[_There, str]] = {
    "the_same_key_again": (
        lambda subject, adapter: adapter.capabilities.keeps_key_s(Operation.PROCESS) > 0,
        "has no idempotency keys",
    ),
    "cards_by_number": _BY_NUMBER,
    "declined_by_number": (
        lambda subject, adapter: adapter.capabilities.cards and "insufficient_funds" in subject.cards,
        "has no such card, or takes no card numbers",
    ),
    "three_d_secure_by_number": (
        lambda subject, adapter: adapter.capabilities.cards and "three_d_secure" in subject.cards,
        "has none that is done after the call, or takes no card numbers",
    ),
    "three_d_secure_that_we_demand": _DEMANDS,
    "a_charge_after_three_d_secure_that_we_demanded": _DEMANDS,
    "three_d_secure_that_we_demand_and_the_page_has_done": (
        lambda subject, adapter: adapter.capabilities.three_ds_tokens is not None,
        "authenticates after the call, if at all",
    ),
    "disputes": (lambda subject, adapter: _has(adapter, "get_dispute"), "tells of no disputes"),
    "three_d_secure_in_the_shops_page": (
        lambda subject, adapter: bool(subject.page_token),
        "has no part in the shop's page",
    ),
    "what_the_payer_brought_back": _CONFIRMS,
    "a_confirm_with_nonsense": _CONFIRMS,
    "three_d_secure_abandoned_and_the_door_closed": _CLOSES,
    "a_payer_who_comes_after_the_door_was_closed": _CLOSES,
    "a_late_success_while_the_door_is_closed": _CLOSES,
    "a_charge_after_the_door_was_closed": (
        lambda subject, adapter: adapter.capabilities.closes and _has(adapter, "initiate"),
        "charges in one call",
    ),
    "a_token_of_the_shops_page_that_comes_with_the_confirmation": (
        lambda subject, adapter: bool(subject.page_made),
        "takes no token of the shop's page with its confirmation",
    ),
    "a_saved_card_with_its_customer": (
        lambda subject, adapter: subject.saved_card is not None,
        "saves no cards",
    ),
    "a_hold_and_its_final_capture_of_a_part": (
        lambda subject, adapter: adapter.capabilities.holds and adapter.capabilities.partial_captures,
        "captures no part of a hold",
    ),
    "a_hold_and_its_capture_of_all": _HOLDS,
    "a_hold_says_when_it_ends": _HOLDS,
    "a_hold_is_released_when_it_ends": _HOLDS,
    "a_capture_that_was_never_sent_is_not_found": _HOLDS,
    "a_capture_whose_answer_was_lost": _HOLDS,
    "more_than_is_held_is_not_captured": _HOLDS,
    "several_captures": (
        lambda subject, adapter: adapter.capabilities.holds and adapter.capabilities.several_captures,
        "releases the rest with a capture",
    ),
    "a_void": _VOIDS,
    "a_void_whose_answer_was_lost": _VOIDS,
    "a_void_after_the_capture": _VOIDS,
    "refunds_of_parts_and_no_more_than_there_is": (
        lambda subject, adapter: adapter.capabilities.partial_refunds,
        "refunds all or nothing",
    ),
    "another_accounts_payment": (
        lambda subject, adapter: bool(subject.account or subject.for_others),
        "has one account",
    ),
    "the_other_mode": (
        lambda subject, adapter: adapter.capabilities.identity.look_ups[Operation.PROCESS].mode,
        "its answers name no mode",
    ),
}
