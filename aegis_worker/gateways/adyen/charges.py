"""Which references are those of charges, as our keys have them. Pure."""

from __future__ import annotations

from aegis_worker.domain.gateway_keys import gateway_key, is_ordered, parse_gateway_key
from aegis_worker.domain.outcomes import Operation


def is_charge_of(payment_id: str, reference: str | None) -> bool:
    """Whether it is the reference of a charge of this payment, in whichever hop."""
    found = parse_gateway_key(reference or "")
    if found is None or is_ordered(found[1]):
        return False
    return reference == gateway_key(payment_id, Operation.PROCESS, found[1])


def is_our_own(gateway_ref: str) -> bool:
    """Whether a payment is known by our reference, because Adyen has not told its own: its payer had to act first."""
    return parse_gateway_key(gateway_ref) is not None
