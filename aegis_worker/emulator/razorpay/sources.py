"""How a payer pays in Checkout, and what then happens, by a script's token, a UPI id for tests, or the amount. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..script_table import AMOUNT_BASE, OK, TABLE
from ..scripts import Script, Wire
from ..tokens import TOKEN_PREFIX, UnknownScript, asked_for
from .bodies import text
from .errors import invalid

METHODS = ("card", "upi", "netbanking", "wallet", "paylater")
# razorpay.com/docs/payments/payments/test-upi-details
_UPI_IDS = {"success@razorpay": f"{TOKEN_PREFIX}ok", "failure@razorpay": f"{TOKEN_PREFIX}soft_try_again"}
_USUAL = {"vpa": "gaurav.kumar@upi", "bank": "HDFC", "wallet": "payzapp", "provider": "lazypay"}
_CAPTURES = frozenset({"capture"})
_DETAILS = {"upi": "vpa", "netbanking": "bank", "wallet": "wallet", "paylater": "provider"}


@dataclass(frozen=True, slots=True)
class Source:
    """`token`: which script it follows, empty where the amount says so. `about`: what the payment shows of it."""

    method: str
    token: str
    about: Mapping[str, str]


def source_of(body: Mapping[str, Any]) -> Source:
    """What the payer has chosen in Checkout. Raises Refused(400)."""
    method = text(body, "method") or "card"
    if method not in METHODS:
        raise invalid("The method provided is not valid.", "method")
    about = {"email": text(body, "email"), "contact": text(body, "contact")}
    detail = _DETAILS.get(method, "")
    if detail:
        about[detail] = text(body, detail) or _USUAL[detail]
    return Source(method, text(body, "token") or _UPI_IDS.get(about.get("vpa", ""), ""), about)


def script_of(token: str, amount: int, instance: str) -> Script:
    """The script of what pays. Raises Refused(400) for a token that names none."""
    if token and not token.startswith(TOKEN_PREFIX):
        raise invalid("The token provided does not exist", "token")
    try:
        return asked_for(token, amount, instance)
    except UnknownScript as problem:
        raise invalid(str(problem), "token") from problem


def at_checkout(script: Script) -> Script:
    """What the payer meets of a token's script: how the gateway treats its callers is met by who captures."""
    return OK if _treats_callers(script) else script


def at_capture(script: Script) -> Script:
    """What the merchant who captures meets of it."""
    return replace(script, acts_on=_CAPTURES) if _treats_callers(script) else script


def _treats_callers(script: Script) -> bool:
    is_shown = script.wire is not Wire.ANSWER or script.answer_after_ms > 0 or script.clock_s > 0
    return is_shown and "charge" in script.acts_on


def as_markdown() -> str:
    """The table for people: what the payer pays with, the amount, and what happens."""
    rows = ["| token | amount | what happens |", "| --- | --- | --- |"]
    rows += [
        f"| `{TOKEN_PREFIX}{script.name}` | {AMOUNT_BASE + script.amount_suffix:,} | {script.meaning} |"
        for script in TABLE
        if not script.wires or "razorpay" in script.wires
    ]
    return "\n".join(rows)
