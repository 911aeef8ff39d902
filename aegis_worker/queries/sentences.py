"""What an event or an attempt means, in a sentence for the person who was paged. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aegis_worker.domain.attempts import Attempt, AttemptStatus, StoredOutcome
from aegis_worker.domain.gateway_keys import is_ordered, order_number
from aegis_worker.domain.outcomes import Operation, charges
from aegis_worker.domain.transitions import EventType

from .wording import money

Data = Mapping[str, Any]


def of_event(type_: EventType, data: Data, currency: str) -> str:
    """The event as a sentence, or its plain data if they lack something that the sentence needs."""
    try:
        return _OF_EVENT[type_](data, currency)
    except KeyError:
        return json.dumps(dict(data))


def called(operation: str, number: int) -> str:
    """What a call is named by: `process`, and of what a merchant ordered also which of them, `capture 2`."""
    return f"{operation} {order_number(number)}" if is_ordered(number) else operation


def in_hop(number: int) -> str:
    """Which hop, in brackets after the call's name: empty for what a merchant ordered, and for what is of no attempt."""
    return f" (attempt {number})" if number and not is_ordered(number) else ""


def of_attempt(attempt: Attempt) -> str:
    """How the call ended, as far as is known, and what was injected into it on purpose."""
    if attempt.status == AttemptStatus.APPROVED and not charges(attempt.operation):
        told = _DONE.get(attempt.operation, "approved")
    else:
        told = _OF_ATTEMPT[attempt.status](attempt.outcome)
    injected = attempt.outcome.injected
    return f"{told}; injected: {injected}" if injected else told


def of_error(error: Data | None) -> str | None:
    """`insufficient_funds at sandbox_a (51): not enough money`; None if there is no error."""
    if error is None:
        return None
    text = str(error["code"])
    if error.get("gateway"):
        text += f" at {error['gateway']}"
    if error.get("gateway_code") and error["gateway_code"] != error["code"]:
        text += f" ({error['gateway_code']})"
    return f"{text}: {error['message']}" if error.get("message") else text


def _initiated(data: Data, currency: str) -> str:
    reference = f", reference {data['reference']}" if data.get("reference") else ""
    return f"accepted: {money(data['amount'], currency)} by {data['payment_method']}{reference}"


def _action_required(data: Data, currency: str) -> str:
    action = data["next_action"]
    until = f", until {action['expires_at']}" if action.get("expires_at") else ""
    return f"{data['gateway']} wants the payer to act: {action['type']}{until}"


def _processing(data: Data, currency: str) -> str:
    attempt = f" (attempt {data['attempt']})" if "attempt" in data else ""
    return f"a charge may be at {data['gateway']} from now on{attempt}"


def _retry(data: Data, currency: str) -> str:
    return f"{data['from']} did not charge ({data['reason']}); {data['to']} is tried"


def _succeeded(data: Data, currency: str) -> str:
    return f"{data['gateway']} charged {money(data['captured_minor'], currency)}, its reference {data['gateway_ref']}"


def _amount(data: Data, currency: str) -> str:
    return money(data["amount_minor"], currency)


def _capture_requested(data: Data, currency: str) -> str:
    rest = "; the rest of the hold is released" if data["final"] else ""
    return f"a capture of {_amount(data, currency)} {_asked_for(data)} ({data['capture_id']}){rest}"


def _asked_for(data: Data) -> str:
    return "is ordered" if data.get("origin") != "gateway" else "was asked for at the gateway itself"


def _undone(what: str, data: Data, currency: str) -> str:
    failed = "failed after it had succeeded" if data["late"] else "failed"
    return f"{what} of {_amount(data, currency)} {failed}: {of_error(data['error'])}"


def _dispute_opened(data: Data, currency: str) -> str:
    until = f", answered until {data['respond_by']}" if data["respond_by"] else ""
    about = money(data["amount_minor"], data["dispute_currency"])
    return (
        f"the payer disputes {about} at {data['gateway']} ({data['reason']}), {data['dispute_id']} is"
        f" {_spaced(data['status'])}{until}"
    )


def _dispute_moved(data: Data, currency: str) -> str:
    about = money(data["amount_minor"], data["dispute_currency"])
    return f"{data['dispute_id']}, a dispute of {about} at {data['gateway']}, is {_spaced(data['status'])}"


def _screened(data: Data, _: str) -> str:
    screening = data["screening"]
    if "findings" not in screening:  # merchants are told no more
        return f"screened before the first attempt: {_spaced(screening['action'])}"
    score = "" if screening["score"] is None else f", score {screening['score']}"
    said = "; ".join(finding_in_words(found) for found in screening["findings"])
    return f"screened before the first attempt, {_spaced(screening['action'])}{score}: {said or 'nothing against it'}"


def finding_in_words(found: Data) -> str:
    """`hook our_shop:fraud says block, score 90: on our list`, or why it said nothing and what its policy makes of that."""
    score = "" if found.get("score") is None else f", score {found['score']}"
    reason = f": {found['reason']}" if found.get("reason") else ""
    if found.get("failed"):
        return f"{found['source']} gave no answer ({found['failed']}), so {_spaced(found['action'])}{reason}"
    return f"{found['source']} says {_spaced(found['action'])}{score}{reason}"


def _spaced(status: str) -> str:
    return status.replace("_", " ")


_OF_EVENT: dict[EventType, Callable[[Data, str], str]] = {
    EventType.INITIATED: _initiated,
    EventType.SCREENED: _screened,
    EventType.ACTION_REQUIRED: _action_required,
    EventType.AUTHENTICATED: lambda data, _: f"{data['gateway']} accepts the payer",
    EventType.PROCESSING: _processing,
    EventType.RETRY_ATTEMPTED: _retry,
    EventType.IN_DOUBT: lambda data, _: f"{data['gateway']} may or may not have charged: {data['reason']}",
    EventType.RESOLVED: lambda data, _: f"the doubt is over: {data['how']}",
    EventType.AUTHORIZED: lambda data, currency: (
        f"{data['gateway']} holds {money(data['authorized_minor'], currency)}, its reference {data['gateway_ref']}"
    ),
    EventType.SUCCEEDED: _succeeded,
    EventType.FAILED: lambda data, _: f"not charged: {of_error(data['last_error'])}",
    EventType.AUTHORIZATION_EXPIRING: lambda data, _: (
        f"what {data['gateway']} holds is released at {data['capture_before']} unless it is captured"
    ),
    EventType.CANCEL_REQUESTED: lambda data, _: "the merchant cancels it; nothing more is tried",
    EventType.CANCELLED: lambda data, _: (
        "what was held was not captured in time"
        if data.get("reason") == "authorization_expired"
        else "given up before money moved, or released"
    ),
    EventType.REVIEWED: lambda data, _: f"a person has {data['decision']} it",
    EventType.REVIEW_REQUIRED: lambda data, _: f"a person has to look: {data['reason']}",
    EventType.DUPLICATE_DETECTED: lambda data, currency: (
        f"{data['gateway']} holds a charge of {money(data['amount_minor'], currency)} too many,"
        f" its reference {data['gateway_ref']}"
    ),
    EventType.DUPLICATE_REVERSED: lambda data, currency: (
        f"{data['gateway']} gave back {money(data['amount_minor'], currency)}: {data['how']}"
    ),
    EventType.CAPTURE_REQUESTED: _capture_requested,
    EventType.CAPTURE_SUCCEEDED: lambda data, currency: (
        f"{data['gateway']} captured {_amount(data, currency)} ({data['capture_id']})"
    ),
    EventType.CAPTURE_FAILED: lambda data, currency: _undone("the capture", data, currency),
    EventType.REFUND_REQUESTED: lambda data, currency: (
        f"a refund of {_amount(data, currency)} {_asked_for(data)} ({data['refund_id']})"
    ),
    EventType.REFUND_SUCCEEDED: lambda data, currency: (
        f"{data['gateway']} refunded {_amount(data, currency)} ({data['refund_id']})"
    ),
    EventType.REFUND_FAILED: lambda data, currency: _undone("the refund", data, currency),
    EventType.DISPUTE_OPENED: _dispute_opened,
    EventType.DISPUTE_UPDATED: _dispute_moved,
    EventType.DISPUTE_WON: _dispute_moved,
    EventType.DISPUTE_LOST: _dispute_moved,
}

_DONE = {
    Operation.CAPTURE: "captured",
    Operation.VOID: "released",
    Operation.REFUND: "refunded",
    Operation.CLOSE: "cancelled there: its payer can't pay any more",
}
_OF_ATTEMPT: dict[AttemptStatus, Callable[[StoredOutcome], str]] = {
    AttemptStatus.SENT: lambda outcome: outcome.reason or "no answer yet; asked about when its lease ends",
    AttemptStatus.APPROVED: lambda outcome: (
        "funds are held, not captured yet" if outcome.captured is False else "charged"
    ),
    AttemptStatus.DECLINED: lambda outcome: (
        f"declined: {of_error(outcome.to_json())}" if outcome.code else "declined"
    ),
    AttemptStatus.ACTION_REQUIRED: lambda outcome: f"the payer has to act: {outcome.action or 'redirect'}",
    AttemptStatus.PENDING: lambda outcome: outcome.reason or "the gateway decides later",
    AttemptStatus.NOT_SENT: lambda outcome: f"not sent: {outcome.reason}",
    AttemptStatus.UNKNOWN: lambda outcome: f"may or may not have happened: {outcome.reason}",
}
