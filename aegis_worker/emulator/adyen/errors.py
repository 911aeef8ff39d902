"""Adyen's errors and refusals: docs.adyen.com/development-resources/error-codes and …/refusal-reasons. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..replies import Refusal, Reply, json_reply

TRANSIENT = "transient-error"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a charge is refused. `raw`: the issuer's own code, shown where it says more."""

    code: str
    text: str
    raw: str = ""


_REFUSED = Reason("2", "Refused")
# What the scripts decline with, in Adyen's words.
REASONS = {
    "account_closed": Reason("27", "Declined Non Generic", "46 : Closed account"),
    "authentication_failed": Reason("11", "3D Not Authenticated"),
    "authentication_required": Reason("38", "Authentication required"),
    "card_not_supported": Reason("10", "Not supported"),
    "currency_not_supported": Reason("10", "Not supported"),
    "do_not_honor": Reason("2", "Refused", "05 : Do not honor"),
    "expired_card": Reason("6", "Expired Card"),
    "fraud": Reason("20", "FRAUD"),
    "insufficient_funds": Reason("12", "Not enough balance", "51 : Insufficient funds/over credit limit"),
    "invalid_account": Reason("27", "Declined Non Generic", "15 : No such issuer"),
    "invalid_cvc": Reason("24", "CVC Declined"),
    "invalid_number": Reason("8", "Invalid Card Number"),
    "issuer_unavailable": Reason("9", "Issuer Unavailable"),
    "lost_card": Reason("5", "Blocked Card", "41 : Lost card, pick up"),
    "not_permitted": Reason(
        "23", "Transaction Not Permitted", "57 : Transaction not permitted to cardholder"
    ),
    "pickup_card": Reason("5", "Blocked Card", "04 : Pick up card"),
    "processing_error": Reason("4", "Acquirer Error", "96 : System malfunction"),
    "restricted_card": Reason("25", "Restricted Card"),
    "revocation": Reason("26", "Revocation Of Auth", "R0 : Stop payment order"),
    "stolen_card": Reason("5", "Blocked Card", "43 : Stolen card, pick up"),
    "try_again": Reason("4", "Acquirer Error", "19 : Re-enter transaction"),
    "velocity": Reason("29", "Withdrawal count exceeded"),
    "withdrawal_limit": Reason("28", "Withdrawal amount exceeded"),
}


def reason_of(script_code: str) -> Reason:
    """Why a script declines."""
    return REASONS.get(script_code, _REFUSED)


class Refused(Refusal):
    """The call is refused: nothing of it is kept, and no answer under its key."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        kind: str = "validation",
        transient: bool = False,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(status, code, message, retry_after_s)
        self._reply = error_reply(status, code, message, kind)
        if transient:
            self._reply.headers[TRANSIENT] = "true"
        if retry_after_s is not None:
            self._reply.headers["Retry-After"] = str(retry_after_s)

    @property
    def reply(self) -> Reply:
        """What goes back."""
        return self._reply


def error_reply(status: int, code: str, message: str, kind: str) -> Reply:
    """A ServiceError."""
    return json_reply(status, {"status": status, "errorCode": code, "message": message, "errorType": kind})


class AdyenWording:
    """What goes wrong at the gateway itself."""

    def failed(self, *, done: bool) -> Reply:
        """A 500. Only of one that did nothing it says that the same call may be made again."""
        reply = error_reply(500, "905", "Payment details are not supported", "internal")
        if not done:
            reply.headers[TRANSIENT] = "true"
        return reply

    def unavailable(self) -> Reply:
        """A 503."""
        return Refused(503, "905", "Unavailable", kind="internal", transient=True).reply

    def unauthorized(self) -> Reply:
        """The API key is refused."""
        return error_reply(401, "000", "HTTP Status Response - Unauthorized", "security")

    def busy(self) -> Reply:
        """The first call with this key is still under way."""
        return Refused(422, "704", "request already processed or in progress", transient=True).reply

    def too_many(self, retry_after_s: int) -> Reply:
        """A 429."""
        return Refused(429, "010", "Too many requests", kind="security", retry_after_s=retry_after_s).reply

    def misspelt(self, message: str) -> Refused:
        """A script that is not there."""
        return Refused(400, "000", message)
