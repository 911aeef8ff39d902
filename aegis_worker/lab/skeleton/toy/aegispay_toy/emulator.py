"""The gateway's emulator: its paths and words over the ledger, test tokens and faults of AegisPay's sandbox."""

from typing import Any

from aegis_worker.emulator.dialect import Body, Dialect, below


def _new(body: Body) -> Body:
    """The sandbox's charge of a POST to /payments."""
    more = {"return_url": body["return_url"]} if body["return_url"] else {}
    return more | {
        **{name: body[name] for name in ("reference", "amount", "currency")},
        "capture_method": "manual" if body["hold"] else "automatic",
        "payment_method": {"type": "card", "token": body["card"]},
        "metadata": {"merchant_payment_id": body["order"]},
    }


def _payment(shown: Body) -> Body:
    return {name: shown[name] for name in ("id", "reference", "amount", "currency")} | {
        "state": shown["status"],
        "taken": shown["amount_captured"],
        "returned": shown["amount_refunded"],
        "redirect": (shown["next_action"] or {}).get("redirect_url"),
        "held_until": shown["capture_before"],
        "code": (shown["last_error"] or {}).get("code"),
        "changes": [_change(one) for one in shown.get("operations", ()) if one["operation"] != "charge"],
    }


def _change(done: dict[str, Any]) -> Body:
    named = {name: done[name] for name in ("id", "reference", "amount")}
    return {**named, "kind": done["operation"], "state": done["status"], "code": done["error_code"]}


FORMAT = Dialect("toy", "Toy", below("/payments", _new), _payment, "Toy-Signature").wire_format()
