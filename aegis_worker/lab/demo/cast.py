"""The payments of a demo: mostly plain ones, and at least two of everything that goes differently."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_worker.domain.transitions import State

from .issuers import Issuer
from .roles import PLAIN, ROLES, Role, Step

_LEAST_OF_EACH = 2
_REPEATED_SHARE = 0.05
_FEWEST_AMOUNT, _MOST_AMOUNT = 100, 80_000  # minor units; scripted amounts of the sandbox begin at 900,001
_RETURN_URL = "https://shop.example/done"

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
