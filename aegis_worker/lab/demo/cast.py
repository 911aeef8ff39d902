"""The payments of a demo: mostly plain ones, and at least two of everything that goes differently."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_worker.domain.entities import EntityStatus
from aegis_worker.domain.transitions import State

from .issuers import Issuer

PLAIN = "plain"
_LEAST_OF_EACH = 2
_REPEATED_SHARE = 0.05
_FEWEST_AMOUNT, _MOST_AMOUNT = 100, 80_000  # minor units; scripted amounts of the sandbox begin at 900,001
_RETURN_URL = "https://shop.example/done"


@dataclass(frozen=True, slots=True)
class Step:
    """What is ordered of a payment that is there: `captures`, `refunds` or `cancel`, as the API's path has it.

    `tenths` of the payment's amount; None: all that is left. `final`: the rest of a hold is released. `meanwhile`: the step
    before it may still be under way. `ends_as`: it has ended like this only, also where the gateway says another end first.
    """

    order: str
    tenths: int | None = None
    final: bool = False
    meanwhile: bool = False
    ends_as: EntityStatus = EntityStatus.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Role:
    """What payments with these tokens go through; `{first}` in a token stands for the gateway that is tried first.

    `payer`: what the payer does who has to act, `pass` or `fail`. `fails_over`: all issuers have a token for it, because
    another gateway is tried as well. `may_end_as`: how else a payment may end, depending on when what the merchant does
    gets through.
    """

    name: str
    share: float
    tokens: tuple[str, ...]
    ends_as: State = State.SUCCESS
    capture_method: str = "automatic"
    steps: tuple[Step, ...] = ()
    payer: str = ""
    fails_over: bool = False
    may_end_as: tuple[State, ...] = ()

    @property
    def captures_often(self) -> bool:
        """Whether it captures more than once of a hold."""
        return [step.order for step in self.steps].count("captures") > 1

    @property
    def captures_parts(self) -> bool:
        """Whether it captures less than all of a hold."""
        return any(step.order == "captures" and step.tenths is not None for step in self.steps)

    @property
    def is_for_payers(self) -> bool:
        """Whether its payer is sent somewhere to act."""
        return all(token.startswith(("tok_3ds", "tok_sdk")) for token in self.tokens)

    def is_for(self, issuer: Issuer) -> bool:
        """Whether the gateway can go through it."""
        if self.captures_often and not issuer.captures_often:
            return False
        if self.captures_parts and not issuer.captures_parts:
            return False
        if self.is_for_payers and not issuer.authenticates:
            return False
        return issuer.releases or not (self.capture_method == "manual" and self.ends_as is State.CANCELLED)


ROLES = (
    Role("declined for good", 0.03, ("tok_hard_expired_card", "tok_hard_stolen_card"), State.FAILURE),
    Role(
        "declined everywhere for now", 0.01, ("tok_soft_issuer_unavailable",), State.FAILURE, fails_over=True
    ),
    Role(
        "declined by the first gateway for now",
        0.04,
        ("tok_soft_try_again_at_{first}", "tok_soft_issuer_unavailable_at_{first}"),
        fails_over=True,
    ),
    Role("charged, connection dropped", 0.03, ("tok_drop",)),
    Role("charged, answered HTTP 500", 0.02, ("tok_500",)),
    Role("3-D Secure", 0.03, ("tok_3ds_60",), payer="pass"),
    Role("3-D Secure, failed by the payer", 0.01, ("tok_3ds_fail_60",), State.FAILURE, payer="fail"),
    Role("pending at the gateway", 0.02, ("tok_pending",)),
    Role("held, captured whole", 0.01, ("tok_visa",), capture_method="manual", steps=(Step("captures"),)),
    Role(
        "held, captured in parts, refunded in part",
        0.02,
        ("tok_visa",),
        capture_method="manual",
        steps=(Step("captures", 5), Step("captures"), Step("refunds", 2)),
    ),
    Role(
        "held, captured in part, the rest released",
        0.02,
        ("tok_visa",),
        capture_method="manual",
        steps=(Step("captures", 6, final=True),),
    ),
    Role("held and released", 0.02, ("tok_visa",), State.CANCELLED, "manual", (Step("cancel"),)),
    Role("refunded", 0.02, ("tok_visa", "tok_drop_on_refund"), steps=(Step("refunds"),)),
    Role(
        "refunded while a refund is pending",
        0.02,
        ("tok_pending_2_on_refund",),
        steps=(Step("refunds", 3), Step("refunds", 2, meanwhile=True)),
    ),
    Role(
        "refunded, and the gateway took it back",
        0.01,
        ("tok_fails_late_2",),
        steps=(Step("refunds", 3, ends_as=EntityStatus.FAILED),),
    ),
)
ENDS_AS = {PLAIN: State.SUCCESS} | {role.name: role.ends_as for role in ROLES}

# Methods with the currencies that go with them; the second sandbox takes these currencies only.
_METHODS: dict[str, tuple[int, tuple[str, ...], dict[str, tuple[str, ...]]]] = {
    "card": (10, ("USD", "EUR", "GBP", "INR", "JPY", "BHD"), {"token": ("tok_visa", "tok_mastercard")}),
    "upi": (3, ("INR",), {"vpa": ("asha@okbank", "ravi@upi")}),
    "net_banking": (2, ("INR",), {"bank_code": ("HDFC", "ICIC")}),
    "wallet": (3, ("USD", "EUR", "INR"), {"provider": ("paytm", "applepay")}),
    "pay_later": (2, ("EUR", "GBP"), {"provider": ("klarna", "simpl")}),
}


@dataclass(frozen=True, slots=True)
class Order:
    """One payment to be posted, under `key`; with `repeated`, twice. Then its `payer` acts, and its `steps` follow.

    `token`: with what the payer pays who is asked for it by the gateway itself. `card`: which it brings, or, where its body
    has none, which is put into the vault before.
    """

    role: str
    key: str
    body: Mapping[str, Any]
    repeated: bool
    steps: tuple[Step, ...] = ()
    payer: str = ""
    token: str = ""
    card: Mapping[str, Any] | None = None


def cast(
    payments: int,
    seed: int | str,
    first_gateway: str,
    special: Sequence[Role] = ROLES,
    issuers: Sequence[Issuer] = (),
    turn: int = 0,
) -> list[Order]:
    """So many orders, the same for the same seed. Of few payments at most three quarters are special.

    `issuers`: gateways that have issued a token for each card. Special payments are each gateway's in turn, and some plain
    cards have a token of one gateway alone. Without any, tokens are those that all sandboxes share. `turn`: which gateway
    begins, counted from 0 and on past the last.
    """
    rng = random.Random(seed)
    special = [role for role in special if _is_possible(role, issuers)]
    turns = {role: turn + place for place, role in enumerate(special)}
    roles: list[Role | None] = [*_special(payments, special)]
    roles += [None] * (payments - len(roles))
    repeated = max(_LEAST_OF_EACH, round(_REPEATED_SHARE * payments))
    orders = [
        # The last ones, which are plain.
        _order(number, role, seed, rng, first_gateway, held_by, repeated=number >= payments - repeated)
        for number, (role, held_by) in enumerate(
            zip(roles, _issuers_of(roles, issuers, turns, rng), strict=True)
        )
    ]
    rng.shuffle(orders)
    return orders


def _is_possible(role: Role, issuers: Sequence[Issuer]) -> bool:
    """Whether these gateways can go through it; sandboxes that share their tokens can go through all."""
    if not issuers:
        return True
    if role.fails_over and role.ends_as is State.SUCCESS:
        return len(_with_tokens(issuers)) > 1
    return bool(_able(role, issuers))


def _able(role: Role, issuers: Sequence[Issuer]) -> list[Issuer]:
    return [issuer for issuer in issuers if role.is_for(issuer)]


def _with_tokens(issuers: Sequence[Issuer]) -> list[Issuer]:
    return [issuer for issuer in issuers if issuer.has_tokens]


def _special(payments: int, special: Sequence[Role]) -> list[Role]:
    counts = [(role, max(_LEAST_OF_EACH, round(role.share * payments))) for role in special]
    rounds = range(max(count for _, count in counts))
    return [role for number in rounds for role, count in counts if number < count][: payments * 3 // 4]


def _issuers_of(
    roles: Sequence[Role | None], issuers: Sequence[Issuer], turns: Mapping[Role, int], rng: random.Random
) -> Iterator[Sequence[Issuer]]:
    """Who has issued a token for each card. What goes differently is to be seen at each gateway, so they take turns."""
    done: Counter[Role] = Counter()
    for role in roles:
        if role is None:
            yield rng.choice([issuers, *([one] for one in issuers)])
        elif issuers and not role.fails_over:
            able = _able(role, issuers)
            yield [able[(turns[role] + done[role]) % len(able)]]
            done[role] += 1
        else:
            yield issuers


def posts(orders: list[Order], seed: int | str) -> list[Order]:
    """What is sent, in this order: each order once, and the repeated ones a second time somewhere."""
    rng = random.Random(seed)
    sent = orders + [order for order in orders if order.repeated]
    rng.shuffle(sent)
    return sent


def _order(
    number: int,
    role: Role | None,
    seed: int | str,
    rng: random.Random,
    first_gateway: str,
    issuers: Sequence[Issuer],
    *,
    repeated: bool,
) -> Order:
    # A card is either one that gateways have issued a token for, or one that its payer names to a gateway later.
    issuers = _with_tokens(issuers) or issuers
    method, currency, payer = _method(rng, issuers)
    if role is not None:
        first = issuers[0].name if issuers else first_gateway
        token = role.tokens[number % len(role.tokens)].format(first=first)
        method, currency = {"type": "card", "token": token}, _currency(rng, "card", issuers)
    amount = rng.randint(_FEWEST_AMOUNT, _MOST_AMOUNT)
    steps, payer = (role.steps, role.payer) if role else ((), payer)
    at_gateway = ""
    if issuers and not issuers[0].has_tokens:
        at_gateway = issuers[0].token(method.pop("token", ""))
        payer = payer or ("" if role and _waits(role) else "pass")
        amount += _FEWEST_AMOUNT * 9
    elif issuers and method["type"] == "card":
        tokens = {issuer.name: issuer.token(method["token"]) for issuer in issuers}
        method = {"type": "card", "tokens": tokens}
    if issuers or steps:
        # Not every gateway takes the last of three decimals.
        amount -= amount % 10
    body = {
        "amount": amount,
        "currency": currency,
        "payment_method": method,
        "reference": f"order-{seed}-{number}",
        "customer": {"id": f"cus_{rng.randint(1, 50)}"},
        "metadata": {"items": rng.randint(1, 9)},
    }
    if role is not None and role.capture_method != "automatic":
        body["capture_method"] = role.capture_method
    if payer:
        # With an address to come back to, all gateways send the payer to a page.
        body["return_url"] = _RETURN_URL
    name = role.name if role else PLAIN
    return Order(name, f"key-{seed}-{number}", body, repeated, steps, payer, at_gateway)


def _waits(role: Role) -> bool:
    """Whether nobody acts although the payer is asked to."""
    return not role.payer and role.is_for_payers


def _method(rng: random.Random, issuers: Sequence[Issuer]) -> tuple[dict[str, Any], str, str]:
    """A method that one of the issuers takes, a currency that goes with it, and what its payer does who has to act."""
    taken = [kind for kind in _METHODS if _taking(kind, issuers) or not issuers]
    kind = rng.choices(taken, weights=[_METHODS[kind][0] for kind in taken])[0]
    _, _, fields = _METHODS[kind]
    own = sorted(set().union(*(issuer.providers or () for issuer in _taking(kind, issuers))))
    if own and "provider" in fields:
        # A wallet of the gateway's own, in which its payer approves.
        return {"type": kind, "provider": rng.choice(own)}, _currency(rng, kind, issuers), "pass"
    method = {"type": kind, **{name: rng.choice(values) for name, values in fields.items()}}
    return method, _currency(rng, kind, issuers), ""


def _currency(rng: random.Random, kind: str, issuers: Sequence[Issuer]) -> str:
    """One that all of the issuers take who take such a method."""
    taking = [issuer.currencies for issuer in _taking(kind, issuers)]
    return rng.choice([one for one in _METHODS[kind][1] if all(one in currencies for currencies in taking)])


def _taking(kind: str, issuers: Sequence[Issuer]) -> list[Issuer]:
    return [issuer for issuer in issuers if kind in issuer.methods]
