"""What each test token, and each test amount, makes the sandbox gateway do: one table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

# Minor amounts 900,001 … 900,099 choose a script for the methods that carry no token: 9,000.01 and up in a
# currency with two decimals, rare enough that no ordinary test amount meets one by accident.
AMOUNT_BASE = 900_000
TOKEN_PREFIX = "tok_"
_MOST_DIGITS = 9
OPERATIONS = ("create", "authenticate", "charge", "confirm", "capture", "void", "refund")


class Effect(StrEnum):
    """What happens to the money."""

    APPROVE = "approve"
    DECLINE = "decline"
    PENDING = "pending"
    NOTHING = "nothing"


class Wire(StrEnum):
    """What the caller gets to see of it."""

    ANSWER = "answer"
    DROP = "drop"
    ERROR = "error"
    GARBAGE = "garbage"
    RATE_LIMIT = "rate_limit"


class UnknownScript(ValueError):
    """The token or fault names a script that does not exist. Correct the spelling; `--scripts` lists them."""


@dataclass(frozen=True, slots=True)
class Script:
    """One scripted behaviour.

    `takes` names the field that a number at the end of the token replaces, up to `most`: `tok_pending_10` has
    `settle_s=10`. `in_frontend`: the payer acts there, and has `payer_s` seconds; `then` is for the confirm.
    """

    name: str
    meaning: str
    amount_suffix: int
    effect: Effect = Effect.APPROVE
    wire: Wire = Wire.ANSWER
    code: str = ""
    takes: str = ""
    most: int = 120
    answer_after_ms: int = 0
    settle_s: int = 0
    commit_after_s: int = 0
    hidden_s: int = 0
    down_s: int = 0
    payer_must_act: bool = False
    payer_s: int = 0
    in_frontend: bool = False
    then: Script | None = None
    retry_after_s: int = 0
    once: bool = False
    acts_on: frozenset[str] = frozenset({"charge"})

    @property
    def range(self) -> str:
        """What N may be, in words; empty where it takes none."""
        unit = "milliseconds" if self.takes.endswith("_ms") else "seconds"
        return f"0 to {self.most} {unit}" if self.takes else ""

    @property
    def fits_any_operation(self) -> bool:
        """Whether `_on_<operation>` may be given: the scripts that end later can end a charge only."""
        ends_later = self.effect is Effect.PENDING or self.payer_must_act or self.commit_after_s > 0
        return not ends_later


OK = Script("ok", "approves; so does every token not listed here", 1)

_HARD = (
    "stolen_card",
    "lost_card",
    "expired_card",
    "invalid_account",
    "fraud",
    "invalid_number",
    "invalid_cvc",
    "card_not_supported",
    "currency_not_supported",
    "restricted_card",
    "account_closed",
    "revocation",
    "pickup_card",
    "not_permitted",
)
_SOFT = (
    "insufficient_funds",
    "issuer_unavailable",
    "try_again",
    "processing_error",
    "withdrawal_limit",
    "do_not_honor",
    "velocity",
)

_TABLE = (
    OK,
    *(
        Script(f"hard_{code}", f"declines for good with `{code}`", 2 + i, Effect.DECLINE, code=code)
        for i, code in enumerate(_HARD)
    ),
    *(
        Script(f"soft_{code}", f"declines for now with `{code}`", 20 + i, Effect.DECLINE, code=code)
        for i, code in enumerate(_SOFT)
    ),
    Script(
        "3ds",
        "the payer must act: requires_action with a redirect_url; goes on when it is got, or after N s (2)",
        40,
        takes="payer_s",
        payer_must_act=True,
        payer_s=2,
        acts_on=frozenset({"authenticate", "charge"}),
    ),
    Script(
        "3ds_fail",
        "the same, but the payer fails the check: fails with `authentication_failed`",
        41,
        code="authentication_failed",
        takes="payer_s",
        payer_must_act=True,
        payer_s=2,
        acts_on=frozenset({"authenticate", "charge"}),
    ),
    Script(
        "sdk",
        "the payer must act in the shop's frontend: requires_action with a client_secret; goes on with a confirm that"
        " carries the challenge's result, or fails with `authentication_failed` after N s (60)",
        45,
        code="authentication_failed",
        takes="payer_s",
        payer_must_act=True,
        payer_s=60,
        in_frontend=True,
        acts_on=frozenset({"authenticate", "charge"}),
    ),
    Script(
        "pending", "answers pending, succeeds after N s (3)", 42, Effect.PENDING, takes="settle_s", settle_s=3
    ),
    Script(
        "pending_fail",
        "answers pending, fails with `issuer_unavailable` after N s (3)",
        43,
        Effect.PENDING,
        code="issuer_unavailable",
        takes="settle_s",
        settle_s=3,
    ),
    Script(
        "latency",
        "charges at once, answers after N ms (1000)",
        44,
        takes="answer_after_ms",
        most=120_000,
        answer_after_ms=1000,
    ),
    Script("drop", "charges, then drops the connection without an answer", 50, wire=Wire.DROP),
    Script("drop_nocharge", "drops the connection without charging", 51, Effect.NOTHING, Wire.DROP),
    Script("500", "charges, then answers 500", 52, wire=Wire.ERROR),
    Script("500_nocharge", "answers 500 without charging", 53, Effect.NOTHING, Wire.ERROR),
    Script("garbage", "charges, then answers 200 with a body that is no JSON", 54, wire=Wire.GARBAGE),
    Script(
        "429",
        "the first call answers 429 with Retry-After N s (1) and does not charge; later calls approve",
        55,
        Effect.NOTHING,
        Wire.RATE_LIMIT,
        takes="retry_after_s",
        retry_after_s=1,
        once=True,
    ),
    Script(
        "status_lag",
        "charges and drops the connection; look-ups say not found for N s (5)",
        56,
        wire=Wire.DROP,
        takes="hidden_s",
        hidden_s=5,
    ),
    Script(
        "status_down",
        "charges and drops the connection; look-ups answer 503 for N s (5)",
        57,
        wire=Wire.DROP,
        takes="down_s",
        down_s=5,
    ),
    Script(
        "late_commit",
        "charges only after N s (20) and answers then; until then look-ups find no charge",
        58,
        takes="commit_after_s",
        commit_after_s=20,
    ),
)

SCRIPTS = {script.name: script for script in _TABLE}
_BY_SUFFIX = {script.amount_suffix: script for script in _TABLE}
# The adapter dials a closed port for this token, so no server ever sees it.
REFUSED = "refused"

GRAMMAR = """\
A token is `tok_<script>[_<N>][_once][_on_<operation>][_at_<instance>]`, or `tok_sdk[_<N>]_then_<script>…`:
  _<N>              replaces the number in the script's line (`tok_pending_10`); beyond what N may be, the gateway
                    refuses the payment and says so
  _once             acts on the first call for a payment only; later calls approve (`tok_500_nocharge_once`)
  _on_<operation>   acts on create, authenticate, capture, void or refund instead of charge
                    (`tok_drop_on_capture`); not for 3ds, pending and late_commit
  _then_<script>    of `sdk`: acts on the confirm (`tok_sdk_then_drop`)
  _at_<instance>    acts at that instance only, elsewhere approves (`tok_soft_try_again_at_sandbox_a`)
Methods without a token (upi, net_banking, wallet, pay_later) choose by the amount, in minor units."""


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
    text, on, operation = text.partition("_on_")
    if text == REFUSED:
        raise UnknownScript("tok_refused is for the client: it dials a closed port")
    script = _find(text)
    if script is None:
        if text.startswith(("soft_", "hard_")):
            raise UnknownScript(f"no decline code {text[5:]!r}")
        return OK
    if not on:
        return script
    if operation not in OPERATIONS or not script.fits_any_operation:
        raise UnknownScript(f"{text!r} cannot act on {operation!r}")
    return replace(script, acts_on=frozenset({operation}))


def _with_confirm(text: str, confirmed: str) -> Script:
    first, then = named(text), named(confirmed)
    if not first.in_frontend:
        raise UnknownScript(f"{text!r} has no confirm")
    return replace(first, then=replace(then, acts_on=frozenset({"confirm"})))


def asked_for(token: str, amount: int, instance: str) -> Script:
    """The script of a payment: by its token where it has one, else by its `amount` in minor units."""
    return for_token(token, instance) if token else _BY_SUFFIX.get(amount - AMOUNT_BASE, OK)


def as_markdown() -> str:
    """The table for people: token, amount, what it does."""
    rows = ["| token | amount | N | the gateway |", "| --- | --- | --- | --- |"]
    for script in _TABLE:
        token = f"{TOKEN_PREFIX}{script.name}{'[_N]' if script.takes else ''}"
        rows.append(
            f"| `{token}` | {AMOUNT_BASE + script.amount_suffix:,} | {script.range or '–'} | {script.meaning} |"
        )
    rows.append(
        f"| `{TOKEN_PREFIX}{REFUSED}` | – | – | refuses the connection: the adapter dials a closed port |"
    )
    return "\n".join([*rows, "", GRAMMAR])
