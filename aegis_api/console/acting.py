"""What actions of the console share: a refusal is shown in place, and keeps what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import redirect, request
from flask.typing import ResponseReturnValue

from aegis_api.http.problems import PROBLEMS, RequestRefused
from aegis_worker.domain.money import Money
from aegis_worker.errors import AegisError, InvalidReason, Refused, ResolutionRefused

from .typed import amount_in

# For what moves money or decides about it; the audit log itself takes shorter ones.
SHORTEST_REASON = 20
_DONE = {
    "decided": "Recorded, and in force.",
    "asked_for": "Nothing has changed yet: it waits for a second person.",
    "waits": "Recorded. It takes effect when the gateway confirms it, or when its wait is over.",
    "asked_again": "The gateway is asked once more, and up the ladder again. Nothing is decided.",
    "asked_about": "Due now: workers ask their gateways within seconds. Reload to see what came of it.",
    "asked_already": "Nothing is changed: they are being asked about, or were a moment ago, or are in doubt no more.",
    "withdrawn": "The decision is taken back. The payment waits for a person again.",
    "approved": "Approved: a worker goes on with it now.",
    "rejected": "Rejected: it fails, and nothing was sent.",
    "rebuilt": "Rebuilt from its events, and no longer frozen.",
    "ordered": "Ordered: a worker sends it to the gateway now, or after what is under way.",
    "paused": "Paused: no new payment goes there, in any worker, within two seconds.",
    "resumed": "Resumed: it takes new payments again within two seconds.",
    "unchanged": "It was so already: nothing changed.",
    "applied": "In force: every worker uses it within two seconds.",
    "redelivered": "Due again: it is posted within seconds.",
    "nobody": "Posted to nobody: no active endpoint wants this event, or it has not been posted for the first time yet.",
    "revoked": "Revoked: a process that has just seen it accepts it for at most 5 s more.",
    "disabled": "Disabled: nothing more is posted there.",
    "saved": "Saved: it stands among your views.",
    "forgotten": "Forgotten: the view is gone, and nothing else.",
}


def done_here() -> str | None:
    """What was done on the page before, in words, for whoever was sent here after it."""
    return _DONE.get(request.args.get("done", ""))


def go_to(page: str, done: str) -> ResponseReturnValue:
    """Send the browser on after what was done, so that a reload does nothing again."""
    page, mark, place = page.partition("#")
    joint = "&" if "?" in page else "?"
    return redirect(f"{page}{joint}done={done}{mark}{place}", 303)


def told_of(error: AegisError) -> tuple[dict[str, Any], int]:
    """A refusal as it is shown on the page that it is about, and the status of the answer."""
    code = error.code if error.code in PROBLEMS else "internal_error"
    meaning = PROBLEMS[code]
    if meaning.status >= 500 and code == "internal_error":
        raise error
    more: Mapping[str, Any] = error.more if isinstance(error, Refused) else {}
    errors = error.errors if isinstance(error, RequestRefused) else more.get("errors", ())
    text = str(error) if isinstance(error, Refused) else _not_done(code)
    told = {
        "title": f"Not done. {meaning.title}.",
        "text": text,
        "says": more.get("gateways_say"),
        "errors": errors,
    }
    return told, meaning.status


def _not_done(code: str) -> str:
    if code == "version_conflict":
        return "It changed while you looked: look at it again, and decide again."
    return "Try again in a moment."


def reason_of(form: Mapping[str, str], *, least: int = SHORTEST_REASON) -> str:
    """The reason in the form, in one line. Raises InvalidReason."""
    reason = " ".join(form.get("reason", "").split())
    if len(reason) < least:
        raise InvalidReason(f"Say why, in at least {least} characters: it is kept in the audit log.")
    return reason


def confirm_amount(form: Mapping[str, str], amount: Money) -> None:
    """Raise ResolutionRefused unless the person typed this amount, so that nobody decides about another payment."""
    if amount_in(form.get("amount", "")) != Decimal(amount.decimal()):
        raise ResolutionRefused(f"Type the amount to confirm: {amount.decimal()}.")
