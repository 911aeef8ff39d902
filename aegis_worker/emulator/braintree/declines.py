"""Why a sale is not approved: the processor's codes, the gateway's own reasons, and the amounts that stand for them. Pure.

developer.paypal.com/braintree/docs/reference/general/processor-responses/authorization-responses, …/general/testing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..script_table import OK
from ..scripts import Effect, Script
from .amounts import major

# What stands before the reason in the code of a script with which the gateway itself rejects.
REJECTED = "rejected_"
NETWORK_DOWN = "3000"
APPROVED, PROCESSED = ("1000", "Approved"), ("1002", "Processed")
_PROCESSOR = "processor_"
_CODES = {
    "account_closed": "2108",
    "authentication_required": "2099",
    "card_not_supported": "2024",
    "currency_not_supported": "2064",
    "do_not_honor": "2000",
    "expired_card": "2004",
    "fraud": "2014",
    "insufficient_funds": "2001",
    "invalid_account": "2007",
    "invalid_cvc": "2010",
    "invalid_number": "2005",
    "issuer_unavailable": NETWORK_DOWN,
    "lost_card": "2012",
    "not_permitted": "2015",
    "pickup_card": "2047",
    "processing_error": "2034",
    "restricted_card": "2057",
    "revocation": "2018",
    "stolen_card": "2013",
    "try_again": "2046",
    "velocity": "2003",
    "withdrawal_limit": "2002",
}
_TEXTS = {
    "2000": "Do Not Honor",
    "2001": "Insufficient Funds",
    "2002": "Limit Exceeded",
    "2003": "Cardholder's Activity Limit Exceeded",
    "2004": "Expired Card",
    "2005": "Invalid Credit Card Number",
    "2006": "Invalid Expiration Date",
    "2007": "No Account",
    "2008": "Card Account Length Error",
    "2009": "No Such Issuer",
    "2010": "Card Issuer Declined CVV",
    "2011": "Voice Authorization Required",
    "2012": "Processor Declined - Possible Lost Card",
    "2013": "Processor Declined - Possible Stolen Card",
    "2014": "Processor Declined - Fraud Suspected",
    "2015": "Transaction Not Allowed",
    "2016": "Duplicate Transaction",
    "2017": "Cardholder Stopped Billing",
    "2018": "Cardholder Stopped All Billing",
    "2019": "Invalid Transaction",
    "2020": "Violation",
    "2021": "Security Violation",
    "2022": "Declined - Updated Cardholder Available",
    "2023": "Processor Does Not Support This Feature",
    "2024": "Card Type Not Enabled",
    "2034": "No Action Taken",
    "2044": "Declined - Call Issuer",
    "2046": "Declined",
    "2047": "Call Issuer. Pick Up Card",
    "2053": "Card reported as lost or stolen",
    "2057": "Issuer or Cardholder has put a restriction on the card",
    "2064": "Invalid Currency Code",
    "2099": "Cardholder Authentication Required",
    "2108": "Closed Card",
    NETWORK_DOWN: "Processor Network Unavailable - Try Again",
}
_FINAL = "2004 2005 2006 2007 2008 2009 2012 2013 2014 2015 2017 2018 2019 2022 2024 2044 2047 2053 2064 2108"
_HARD = frozenset(_FINAL.split())
_GENERIC, _GENERIC_TEXT = "2038", "Processor Declined"
_SETTLEMENT = {"4001": "Settlement Declined", "4002": "Settlement Pending"}


@dataclass(frozen=True, slots=True)
class Response:
    """What the processor said, or why the gateway itself did not ask it (`rejection`)."""

    status: str
    code: str = ""
    text: str = ""
    rejection: str = ""

    @property
    def message(self) -> str:
        """What the error says."""
        return f"Gateway Rejected: {self.rejection}" if self.rejection else self.text


def response_of(script_code: str) -> Response:
    """How a sale that a script declines with this code stands."""
    if script_code.startswith(REJECTED):
        return Response("gateway_rejected", rejection=script_code.removeprefix(REJECTED))
    if script_code == "authentication_failed":
        return Response("gateway_rejected", rejection="three_d_secure")
    code = script_code.removeprefix(_PROCESSOR)
    code = _CODES.get(code, code if code.isdecimal() else _GENERIC)
    status = "failed" if code == NETWORK_DOWN else "processor_declined"
    return Response(status, code, _TEXTS.get(code, _GENERIC_TEXT))


def response_type(code: str) -> str:
    """Whether a sale that the processor answered so may be tried again; empty where it answered nothing."""
    if code in (APPROVED[0], PROCESSED[0]):
        return "approved"
    return ("hard_declined" if code in _HARD else "soft_declined") if code else ""


def settlement_text(code: str) -> str:
    """What the processor says of a settlement; empty for no code."""
    return _SETTLEMENT.get(code, "")


def script_of_amount(amount: int, currency: str) -> Script:
    """What an amount alone makes Braintree's sandbox do, whatever the currency; OK for most."""
    units, hundredths = major(amount, currency)
    if 2000 <= units <= 2999:
        return _declined(f"{_PROCESSOR}{units}")
    if units == int(NETWORK_DOWN):
        return _declined(f"{_PROCESSOR}{NETWORK_DOWN}")
    if (units, hundredths) == (5001, 0):
        return _declined(f"{REJECTED}application_incomplete")
    return OK


def _declined(code: str) -> Script:
    return replace(OK, name=code, effect=Effect.DECLINE, code=code)
