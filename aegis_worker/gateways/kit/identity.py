"""Checks that an answer is about what was asked (design D18). Pure, and the same for every adapter.

The connection does not prove that an answer is ours: a proxy may repeat an answer, a cache may keep one, a look-up may
ignore its filter. So each adapter declares what its gateway's answers show. If something declared is missing, or
something shown is different, the answer is somebody else's. It proves nothing about our call, so it is `Unknown` of kind
MISMATCH, and look-ups decide.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from aegis_worker.domain.modes import Mode
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation, Unknown, UnknownKind


class Carries(Struct, frozen=True):
    """What a gateway's answers always show. What is False here is checked only if an answer shows it all the same.

    `reference`: ours, of this call or of another step of the same charge. `gateway_ref`: the gateway's id; if we asked by
    one, it must be the same. `amount` in minor units, and `currency`: what we asked the gateway to move. `mode`: live or
    test. `account`: whose payment it is; looked at only where the gateway's table names an account.
    """

    reference: bool = False
    gateway_ref: bool = False
    amount: bool = False
    currency: bool = False
    mode: bool = False
    account: bool = False


NOTHING = Carries()
# All that is known of every payment. Mode and account are for gateways that say them.
EVERYTHING = Carries(reference=True, gateway_ref=True, amount=True, currency=True)


class Declared(Struct, frozen=True):
    """An adapter's declaration. Answers to an operation that is missing here show nothing and are accepted unchecked.

    `answers`: to a call that did what it asked for, or that was declined. `look_ups`: of a payment that was found.
    `refusals`: of a request that the gateway did not look into (400, 401, 429 …). `absences`: of "there is none".
    """

    answers: Mapping[Operation, Carries] = field(default_factory=dict)
    look_ups: Mapping[Operation, Carries] = field(default_factory=dict)
    refusals: Carries = NOTHING
    absences: Carries = NOTHING


class Expected(Struct, frozen=True):
    """What an answer must be about: any of our `references`, the `gateway_ref` that we asked by, the money to move.

    `mode` and `account`: of the gateway's table that we asked under; None: not compared.
    """

    references: frozenset[str]
    gateway_ref: str | None
    amount: Money | None
    mode: Mode | None = None
    account: str | None = None

    def under(self, mode: Mode, account: str | None) -> Expected:
        """The same, of a gateway whose answers say their mode or account: `request.expected.under(config.mode, …)`."""
        return replace(self, mode=mode, account=account)


class Shown(Struct, frozen=True):
    """What an answer shows, as the adapter found it. None or empty for what it does not show."""

    references: Collection[str] = ()
    gateway_ref: str | None = None
    minor: int | None = None
    currency: str | None = None
    mode: Mode | None = None
    account: str | None = None


def mismatch(carries: Carries, expected: Expected, shown: Shown) -> Unknown | None:
    """Why the answer is not about what was asked. None if it is, as far as this gateway's answers can tell."""
    other = _other_account(carries, expected, shown) or _other_payment(carries, expected, shown)
    if other is not None:
        return about_another(other)
    found = _other_money(carries, expected, shown)
    return None if found is None or expected.amount is None else other_money(found, expected.amount)


def about_another(why: str) -> Unknown:
    """For an answer that is about another payment, or another step: it says nothing about ours."""
    return Unknown(f"an answer about something else: {why}", kind=UnknownKind.MISMATCH)


def other_money(found: str, ours: Money) -> Unknown:
    """For an answer about our own payment that shows another amount or currency than ours."""
    reason = f"an answer about other money: it shows {found}, ours is {ours.minor} {ours.currency}"
    return Unknown(reason, kind=UnknownKind.MISMATCH, shows=found)


def _other_account(carries: Carries, expected: Expected, shown: Shown) -> str | None:
    sides = (
        ("mode", carries.mode, expected.mode, shown.mode),
        ("account", carries.account, expected.account, shown.account),
    )
    for name, is_declared, ours, theirs in sides:
        if ours is None or theirs == ours:
            continue
        if theirs is not None:
            return f"it is of the {name} {theirs}, ours is {ours}"
        if is_declared:
            return f"it does not show the {name}, ours is {ours}"
    return None


def _other_payment(carries: Carries, expected: Expected, shown: Shown) -> str | None:
    if expected.gateway_ref is not None and shown.gateway_ref != expected.gateway_ref:
        if shown.gateway_ref is not None:
            return f"it shows {shown.gateway_ref}, asked was about {expected.gateway_ref}"
        if carries.gateway_ref:
            return f"it does not show {expected.gateway_ref}, which was asked about"
    if expected.references.isdisjoint(shown.references):
        ours = ", ".join(sorted(expected.references))
        if shown.references:
            return f"it shows the reference {', '.join(sorted(shown.references)[:3])}, ours is {ours}"
        if carries.reference:
            return f"it shows no reference, ours is {ours}"
    return None


def _other_money(carries: Carries, expected: Expected, shown: Shown) -> str | None:
    amount = expected.amount
    if amount is None:
        return None
    differs = shown.minor not in (None, amount.minor) or shown.currency not in (None, amount.currency)
    is_missing = (carries.amount and shown.minor is None) or (carries.currency and shown.currency is None)
    if not differs and not is_missing:
        return None
    found = " ".join(str(part) for part in (shown.minor, shown.currency) if part is not None)
    return found or "no amount"
