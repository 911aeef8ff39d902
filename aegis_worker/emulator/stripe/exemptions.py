"""What a charge without its payer says of the payment at which the payer agreed: `mit_exemption`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..network_ids import is_network_id
from .errors import Refused

_PARAM = "payment_method_options[card][mit_exemption][network_transaction_id]"


def check_exemption(form: Mapping[str, Any]) -> None:
    """Raises Refused(400) for an agreement that no card network knows, or with a payer who is there."""
    options = form.get("payment_method_options", {})
    card = options.get("card") if isinstance(options, dict) else None
    exemption = card.get("mit_exemption") if isinstance(card, dict) else None
    if exemption is None:
        return
    if not isinstance(exemption, dict) or not is_network_id(exemption.get("network_transaction_id")):
        raise Refused(400, "Invalid network_transaction_id", param=_PARAM)
    if form.get("off_session") != "true":
        raise Refused(400, "mit_exemption is for payments that are off_session", param=_PARAM)
