"""Checks what a merchant posts: what it does not know, or what is missing, it refuses. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .errors import Refused

_FIELDS = {
    "create": "application_context intent payer payment_source processing_instruction purchase_units",
    "capture_order": "payment_source",
    "authorize_order": "payment_source",
    "confirm_source": "application_context payment_source processing_instruction",
    "capture": "amount final_capture invoice_id note_to_payer payment_instruction soft_descriptor",
    "reauthorize": "amount",
    "void": "",
    "refund": "amount custom_id invoice_id note_to_payer payment_instruction",
}
_OF_UNIT = (
    "amount custom_id description invoice_id items payee payment_instruction reference_id shipping soft_descriptor"
    " supplementary_data"
)
_LONGEST = {
    "custom_id": 127,
    "description": 127,
    "invoice_id": 127,
    "reference_id": 256,
    "soft_descriptor": 22,
}
_VERIFICATIONS = ("", "SCA_ALWAYS", "SCA_WHEN_REQUIRED", "3D_SECURE", "AVS_CVV")
# Where a source names something that was vaulted.
_VAULTED = (("card", "vault_id"), ("paypal", "vault_id"), ("token", "id"))


def parse(name: str, raw: bytes) -> dict[str, Any]:
    """The body of a call, an empty one as an empty object, with no field that there isn't. Raises Refused(400)."""
    try:
        body = json.loads(raw or b"{}")
    except ValueError as problem:
        raise Refused("MALFORMED_REQUEST_JSON") from problem
    if type(body) is not dict:
        raise Refused("MALFORMED_REQUEST_JSON")
    _check_names(body, _FIELDS[name])
    return body


def unit_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The order's purchase unit: the emulator takes one. Raises Refused(400)."""
    units = body.get("purchase_units")
    if not units:
        raise Refused("MISSING_REQUIRED_PARAMETER", field="/purchase_units")
    if type(units) is not list or len(units) != 1 or type(units[0]) is not dict:
        raise Refused("INVALID_PARAMETER_VALUE", field="/purchase_units")
    _check_names(units[0], _OF_UNIT)
    unit: dict[str, Any] = units[0]
    return unit


def text(body: Mapping[str, Any], name: str) -> str:
    """A text, empty if there is none. Raises Refused(400)."""
    value = body.get(name, "")
    if type(value) is not str or len(value) > _LONGEST.get(name, 255):
        raise Refused("INVALID_PARAMETER_VALUE", field=f"/{name}")
    return value


def inner(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object, empty if there is none. Raises Refused(400)."""
    value = body.get(name, {})
    if type(value) is not dict:
        raise Refused("INVALID_PARAMETER_SYNTAX", field=f"/{name}")
    return value


def truth(body: Mapping[str, Any], name: str) -> bool:
    """True or false, false if there is none. Raises Refused(400)."""
    value = body.get(name, False)
    if type(value) is not bool:
        raise Refused("INVALID_PARAMETER_SYNTAX", field=f"/{name}")
    return value


def source_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """The kind of what pays and the vaulted id that stands for it, each empty if there is none. Raises Refused(400)."""
    source = inner(body, "payment_source")
    for kind, named in _VAULTED:
        token = text(inner(source, kind), named)
        if token:
            return kind, token
    if source and "paypal" not in source:
        raise Refused("INVALID_PARAMETER_VALUE", field="/payment_source")
    return ("paypal" if source else ""), ""


def always_authenticated(body: Mapping[str, Any]) -> bool:
    """Whether a card's holder is to be authenticated also where nobody else wants it. Raises Refused(400)."""
    card = inner(inner(body, "payment_source"), "card")
    method = text(inner(inner(card, "attributes"), "verification"), "method")
    if method not in _VERIFICATIONS:
        raise Refused("INVALID_PARAMETER_VALUE", field="/payment_source/card/attributes/verification/method")
    return method in ("SCA_ALWAYS", "3D_SECURE")


def addresses(body: Mapping[str, Any]) -> dict[str, str]:
    """Where the payer is sent on after the approval, and after having cancelled. Raises Refused(400)."""
    context, source = inner(body, "application_context"), inner(body, "payment_source")
    for kind in ("card", "paypal"):
        context = context | inner(inner(source, kind), "experience_context")
    return {name: text(context, name) for name in ("return_url", "cancel_url")}


def _check_names(body: Mapping[str, Any], names: str) -> None:
    for field in body:
        if field not in names.split():
            raise Refused("INVALID_PARAMETER_SYNTAX", field=f"/{field[:50]}")
