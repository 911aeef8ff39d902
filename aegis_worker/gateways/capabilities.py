"""What an adapter needs and promises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aegis_worker.domain.cards import is_vaulted
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation, charges

from .kit.amounts import ISO_AMOUNTS, Amounts
from .kit.identity import Declared


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an adapter needs and promises.

    `steps`: the calls that one payment takes, in order. `key_lifetime_s`: how long the gateway remembers an idempotency
    key (0: it has no keys; then a charge in doubt is never repeated, and never tried elsewhere on "not found").
    `absence_window_s`: how long after a call look-ups may still not show its effect. `identity`: what an answer of this
    gateway must show to count as an answer to what was asked. `amounts`: which amounts it can write exactly.
    `key_lifetimes_s`: by operation, where a key of it lives another time than `key_lifetime_s`. `pays_once`: the form of
    the tokens with which it charges once and never again, so a charge may be repeated for `pays_once_s` as under a key.
    `methods`: the types of `payment_method` that it takes, each with the fields that it can't do without: `token` where the
    gateway has issued something for this payer, `vpa` and the like where the payer must be named, none where the type
    alone is enough.
    `providers`: of wallets and lenders, the only ones that it takes; None: any, as far as its account goes.
    `held_only`: the types with which a payer alone may move money, and nothing there can be cancelled: taken to be captured
    later only, so that whoever pays after we have given up has moved nothing (design D16).
    `bare_tokens`: the form of the tokens that it takes although nobody says that it issued them, as sandboxes take each
    other's; None: none, as where money moves. `issues_tokens`: whether it issues any, so that a token without its gateway
    may be its own. `payer`: what it is sent of who pays, of `domain.payer.FIELDS`.
    `cards`: it can be sent a card of the vault, by number. Whether its account may is set in its table (`raw_cards`).
    `three_ds`: the types of `payment_method` whose payers it can be told to have authenticated by 3-D Secure, whatever it
    would do by itself (`GatewayRequest.three_ds`), or has authenticated always; `three_ds_tokens`: the form of the tokens
    with which it can, where not with all, and not with a card of the vault either; `three_ds_currencies`: likewise.

    What it can do with a charge (design D14): `holds`: authorize now and capture later. `partial_captures`: less than what
    is held. `several_captures`: more than one of a hold; without it each capture releases the rest. `voids`: release a
    hold. `hold_s`: how long one lasts where the gateway's answer does not say; None: nobody knows. `partial_refunds`: give
    back less than all, and more than once. `confirms`: it takes what the payer brought back from an action, by
    `Adapter.confirm`; without it a payer's return only has the gateway asked.

    `refunds_when_settled`: it refunds a charge only once that is settled, which its look-ups show (`Approved.settled`).
    `voids_what_is_not_settled`: its adapter gives all of such a charge back at once, by a void.

    What it can be asked (design D14): `look_ups`: about which operations. What became of any other, and how disputes stand,
    it tells by its events alone, which its adapter reads (`kit.flows.recalled`); such a call is repeated under its key.
    `moves_money`: which operations may move money. Doubt about any other blocks nothing. `shows_twins`: a look-up by our
    reference shows every charge that carries it (`Approved.twins`), each by the id that a look-up by id knows it by. Where
    neither that is so nor a charge is made of something that is charged once, a person looks for a second one.

    What a payer can do there without us (design D16): `closes`: what waits for its payer, or was begun and not charged, can
    be cancelled, by `Adapter.close`; without it a payer's doing must move nothing until we capture it. `reopens`: after a
    decline a payer who was sent away may try again there, with another card. `payer_pays_first`: what the payer does debits
    them, before our own call takes the money, so from then on the payment waits for this gateway and goes to no other.
    """

    steps: tuple[Operation, ...]
    key_lifetime_s: float
    absence_window_s: float
    identity: Declared = field(default_factory=Declared)
    amounts: Amounts = ISO_AMOUNTS
    key_lifetimes_s: Mapping[Operation, float] = field(default_factory=dict)
    pays_once: re.Pattern[str] | None = None
    pays_once_s: float = 0.0
    methods: Mapping[str, frozenset[str]] = field(default_factory=lambda: {"card": frozenset({"token"})})
    providers: frozenset[str] | None = None
    held_only: frozenset[str] = frozenset()
    bare_tokens: re.Pattern[str] | None = None
    issues_tokens: bool = True
    payer: frozenset[str] = frozenset()
    cards: bool = False
    three_ds: frozenset[str] = frozenset()
    three_ds_tokens: re.Pattern[str] | None = None
    three_ds_currencies: frozenset[str] | None = None
    holds: bool = True
    partial_captures: bool = True
    several_captures: bool = True
    voids: bool = True
    partial_refunds: bool = True
    confirms: bool = False
    hold_s: float | None = None
    closes: bool = True
    reopens: bool = False
    payer_pays_first: bool = False
    look_ups: frozenset[Operation] = frozenset(Operation)
    refunds_when_settled: bool = False
    voids_what_is_not_settled: bool = False
    shows_twins: bool = False
    moves_money: frozenset[Operation] = frozenset(Operation) - {Operation.INITIATE, Operation.AUTHENTICATE}

    @property
    def tells_by_events_alone(self) -> bool:
        """Whether of some operations nothing is known but what the gateway's events tell, which are evidence then."""
        return not self.look_ups >= frozenset(Operation)

    @property
    def charges_what_it_made(self) -> bool:
        """Whether an earlier step makes what is charged (an intent, an order), which is charged once."""
        return not charges(self.steps[0])

    def takes(self, amount: Money) -> bool:
        """Whether the gateway can write the amount exactly."""
        return self.amounts.takes(amount)

    def demands_three_ds(self, method: Mapping[str, Any], currency: str) -> bool:
        """Whether it can be told to have this payer authenticated by 3-D Secure. `method`: as the gateway sees it."""
        if method["type"] not in self.three_ds:
            return False
        if self.three_ds_currencies is not None and currency not in self.three_ds_currencies:
            return False
        if self.three_ds_tokens is None:
            return True
        return not is_vaulted(method) and self.three_ds_tokens.fullmatch(method.get("token", "")) is not None

    def keeps_key_s(self, operation: Operation, token: str | None = None) -> float:
        """How long, in seconds, the gateway remembers a key of this operation; 0 if it takes none. `token`: what pays."""
        kept_s = self.key_lifetimes_s.get(operation, self.key_lifetime_s)
        once = self.pays_once is not None and token is not None and self.pays_once.fullmatch(token)
        return max(kept_s, self.pays_once_s) if once and charges(operation) else kept_s
