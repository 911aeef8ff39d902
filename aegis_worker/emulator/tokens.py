"""Which script a test token asks for: the grammar of tokens."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from .script_table import AMOUNT_BASE, BY_AMOUNT, OK, SCRIPTS, TABLE
from .scripts import Script

TOKEN_PREFIX = "tok_"
_MOST_DIGITS = 9
# The adapter dials a closed port for this token, so no server ever sees it.
REFUSED = "refused"

GRAMMAR = """\
A token is `tok_<script>[_<N>][_once][_on_<operation>][_at_<instance>]`, or `tok_sdk[_<N>]_then_<script>…`:
  _<N>              replaces the number in the script's line (`tok_pending_10`); beyond what N may be, the gateway
                    refuses the payment and says so
  _once             acts on the first call for a payment only; later calls approve (`tok_500_nocharge_once`)
  _on_<operation>   acts on create, authenticate, capture, void, refund or close instead of charge
                    (`tok_drop_on_capture`); not for 3ds and late_commit, and pending for capture
                    and refund only (`tok_pending_on_refund`)
  _then_<script>    of `sdk`: acts on the confirm (`tok_sdk_then_drop`)
  _at_<instance>    acts at that instance only, elsewhere approves (`tok_soft_try_again_at_sandbox_a`)
Methods without a token (upi, net_banking, wallet, pay_later) choose by the amount, in minor units."""


class UnknownScript(ValueError):
    """The token or fault names a script that does not exist. Correct the spelling; `--scripts` lists them."""


@lru_cache(maxsize=4096)
def named(text: str) -> Script:
    """The script that `text` (`drop`, `pending_10`, `429_once`) names, with its number filled in.

    Raises UnknownScript for a name that is not in the table and for a number beyond the script's bound.
    """
    script = _find(text)
    if script is None:
        raise UnknownScript(f"no script named {text!r}")
    return script


def _find(text: str) -> Script | None:
    name = text.removesuffix("_once")
    script = SCRIPTS.get(name)
    if script is None:
        base, _, number = name.rpartition("_")
        script = SCRIPTS.get(base)
        if script is None:
            return None
        if not script.takes:
            raise UnknownScript(f"{TOKEN_PREFIX}{base} takes no number")
        if not (
            number.isascii()
            and number.isdecimal()
            and len(number) <= _MOST_DIGITS
            and int(number) <= script.most
        ):
            raise UnknownScript(
                f"{TOKEN_PREFIX}{base}_N takes {script.range}, not {number[: _MOST_DIGITS + 1]!r}"
            )
        script = _with_number(script, int(number))
    return replace(script, once=True) if text != name else script


def _with_number(script: Script, number: int) -> Script:
    changes: dict[str, Any] = {script.takes: number}
    return replace(script, **changes)


@lru_cache(maxsize=4096)
def for_token(token: str, instance: str) -> Script:
    """The script that `token` asks of `instance`; OK for a token that is no script's.

    Raises UnknownScript for a misspelt decline, operation or number, lest a test of a fault see an approval.
    """
    text, at, where = token.removeprefix(TOKEN_PREFIX).partition("_at_")
    if at and where != instance:
        return OK
    text, then, confirmed = text.partition("_then_")
    if then:
        return _with_confirm(text, confirmed)
    text, acts, operation = text.partition("_on_")
    if text == REFUSED:
        raise UnknownScript("tok_refused is for the client: it dials a closed port")
    script = _find(text)
    if script is None:
        if text.startswith(("soft_", "hard_")):
            raise UnknownScript(f"no decline code {text[5:]!r}")
        return OK
    if not acts:
        return script
    return on(script, operation)


def on(script: Script, operation: str) -> Script:
    """The script, of this operation. Raises UnknownScript where it can't act on it."""
    if not script.fits(operation):
        raise UnknownScript(f"{script.name!r} cannot act on {operation!r}")
    return replace(script, acts_on=frozenset({operation}))


def _with_confirm(text: str, confirmed: str) -> Script:
    first, then = named(text), named(confirmed)
    if not first.in_frontend:
        raise UnknownScript(f"{text!r} has no confirm")
    return replace(first, then=replace(then, acts_on=frozenset({"confirm"})))


def asked_for(token: str, amount: int, instance: str) -> Script:
    """The script of a payment: by its token where it has one, else by its `amount` in minor units."""
    return for_token(token, instance) if token else BY_AMOUNT.get(amount, OK)


def as_markdown() -> str:
    """The table for people: token, amount, what it does."""
    rows = ["| token | amount | N | the gateway |", "| --- | --- | --- | --- |"]
    for script in TABLE:
        token = f"{TOKEN_PREFIX}{script.name}{'[_N]' if script.takes else ''}"
        amount = f"{AMOUNT_BASE + script.amount_suffix:,}" if script.amount_suffix else "–"
        rows.append(f"| `{token}` | {amount} | {script.range or '–'} | {script.meaning} |")
    rows.append(
        f"| `{TOKEN_PREFIX}{REFUSED}` | – | – | refuses the connection: the adapter dials a closed port |"
    )
    return "\n".join([*rows, "", GRAMMAR])
