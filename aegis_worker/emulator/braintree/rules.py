"""The gateway's own rules for a sale, and what the processor says of address and security code. Pure.

developer.paypal.com/braintree/docs/reference/general/testing#avs-and-cvv/cid-responses; the emulated merchant has its rules
reject what does not match.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import bodies
from .instruments import Instrument

_CVV_ANSWERS = {"200": "N", "201": "U", "301": "S", "": "I"}
_POSTAL_ANSWERS = {"20000": "N", "20001": "U", "": "I"}
_REASONS = {(True, True): "avs_and_cvv", (True, False): "avs", (False, True): "cvv"}


def breaks(body: Mapping[str, Any], instrument: Instrument) -> tuple[str, dict[str, str]]:
    """Why the gateway rejects a sale, empty where it does not, and what the transaction shows of both checks."""
    cvv = bodies.text(bodies.inner(body, "credit_card"), "cvv")
    postal = bodies.text(bodies.inner(body, "billing"), "postal_code")
    shown = {"cvv": _CVV_ANSWERS.get(cvv, "M"), "avs": _POSTAL_ANSWERS.get(postal, "M")}
    wanted = bodies.inner(bodies.inner(body, "options"), "three_d_secure")
    passed = instrument.checked == "authenticate_successful" or bool(body.get("three_d_secure_pass_thru"))
    if bodies.truth(wanted, "required") and not passed:
        return "three_d_secure", shown
    return _REASONS.get((shown["avs"] == "N", shown["cvv"] == "N"), ""), shown
