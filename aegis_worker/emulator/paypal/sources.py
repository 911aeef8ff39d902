"""What pays at PayPal: something vaulted, as `tok_<script>`, or a wallet whose payer comes, by the amount. Pure."""

from __future__ import annotations

from ..script_table import AMOUNT_BASE, TABLE
from ..scripts import Script
from ..tokens import TOKEN_PREFIX, UnknownScript, asked_for


def script_of(token: str, amount: int, instance: str) -> Script | None:
    """The script of a vaulted id, or, without one, that of the amount. None: there is no such id."""
    if token and not token.startswith(TOKEN_PREFIX):
        return None
    try:
        return asked_for(token, amount, instance)
    except UnknownScript:
        return None


def as_markdown() -> str:
    """The table for people: vaulted id, amount, and what happens."""
    rows = ["| vaulted id | amount | what happens |", "| --- | --- | --- |"]
    rows += [
        f"| `{TOKEN_PREFIX}{script.name}` | {AMOUNT_BASE + script.amount_suffix:,} | {script.meaning} |"
        for script in TABLE
        if not script.wires or "paypal" in script.wires
    ]
    return "\n".join(rows)
