"""What Adyen's answers hold, and what identifies them (design D18). Pure.

Source: PaymentResponse, PaymentDetailsResponse, Payment…Response and ServiceError of Checkout v71.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from aegis_worker.domain.actions import NextAction, Qr, Redirect, Sdk
from aegis_worker.domain.outcomes import Operation

from ..kit.identity import Carries, Declared, Shown
from ..kit.reading import (
    Unreadable,
    address,
    child,
    currency,
    identifier,
    minor_units,
    network_transaction_id,
    words,
)
from .amounts import AMOUNTS
from .references import as_kept

# An answer to a charge shows our reference and, if it is authorised, the money; the payment's own reference may come
# after 3-D Secure only. A change shows that, its own, our reference, the account and, but for a cancel, the money.
_CHARGE = Carries(reference=True, amount=True, currency=True)
_CHANGE = Carries(reference=True, gateway_ref=True, amount=True, currency=True, account=True)
_CANCEL = Carries(reference=True, gateway_ref=True, account=True)
# What Adyen tells by itself shows the money, and whose it is; its account and mode were compared when it came.
_TOLD = Carries(amount=True, currency=True)
_CHANGES = {Operation.CAPTURE: _CHANGE, Operation.REFUND: _CHANGE, Operation.VOID: _CANCEL}
IDENTITY = Declared(
    answers={**dict.fromkeys(Operation, _CHARGE), **_CHANGES}, look_ups=dict.fromkeys(Operation, _TOLD)
)
# Of a refusal, and of a charge that is pending: Adyen shows no money there.
WITHOUT_MONEY = Carries(reference=True)
_RESULTS = frozenset(
    {
        "AuthenticationFinished",
        "AuthenticationNotRequired",
        "Authorised",
        "Cancelled",
        "ChallengeShopper",
        "Error",
        "IdentifyShopper",
        "PartiallyAuthorised",
        "Pending",
        "PresentToShopper",
        "Received",
        "RedirectShopper",
        "Refused",
        "Success",
    }
)


class Charged(Struct, frozen=True):
    """An answer to a charge, or to what its payer brought back. Its money in ISO's minor units.

    `gateway_ref`: None where Adyen tells it only once the payer has acted. `action`: what the payer has to do, if anything.
    `network_transaction_id`: told where the account is set to (`networkTxReference`).
    """

    result: str
    gateway_ref: str | None
    reference: str | None
    minor: int | None
    currency: str | None
    action: NextAction | None
    action_ends_at: datetime | None
    network_transaction_id: str | None

    def shown(self) -> Shown:
        """What it shows of itself."""
        references = {self.reference} if self.reference else set[str]()
        return Shown(references, None, self.minor, self.currency)


class Changed(Struct, frozen=True):
    """An answer to a capture, cancel or refund: it was taken in. Its money in ISO's minor units.

    `payment_ref`: the payment's, Adyen's own or, of a cancel by our reference, ours. `gateway_ref`: that of the change.
    """

    payment_ref: str
    gateway_ref: str
    reference: str | None
    account: str
    minor: int | None
    currency: str | None

    def shown(self) -> Shown:
        """What it shows of itself."""
        references = {self.reference} if self.reference else set[str]()
        return Shown(references, self.payment_ref, self.minor, self.currency, account=self.account)


class AdyenError(Struct, frozen=True):
    """An answer that is no success. Empty texts: not told."""

    code: str
    message: str


def read_charged(body: Mapping[str, Any]) -> Charged:
    """Raises Unreadable."""
    result = body.get("resultCode")
    if result not in _RESULTS:
        raise Unreadable("resultCode is no known word")
    minor, code = read_money(body) if body.get("amount") is not None else (None, None)
    action = child(body, "action") if body.get("action") is not None else None
    return Charged(
        result=result,
        gateway_ref=psp_if_any(body, "pspReference"),
        reference=id_if_any(body, "merchantReference") or _additional_reference(body),
        minor=minor,
        currency=code,
        action=None if action is None else _action(action),
        action_ends_at=None if action is None else _ends_at(action),
        network_transaction_id=network_transaction_id(_more(body), "networkTxReference"),
    )


def read_changed(body: Mapping[str, Any]) -> Changed:
    """Raises Unreadable."""
    if body.get("status") != "received":
        raise Unreadable("status is no known word")
    minor, code = read_money(body) if body.get("amount") is not None else (None, None)
    by_ours = body.get("paymentPspReference") is None
    return Changed(
        payment_ref=as_kept(identifier(body, "paymentReference" if by_ours else "paymentPspReference")),
        gateway_ref=as_kept(identifier(body, "pspReference")),
        reference=id_if_any(body, "reference"),
        account=identifier(body, "merchantAccount"),
        minor=minor,
        currency=code,
    )


def read_error(body: Mapping[str, Any]) -> AdyenError:
    """The error of an answer."""
    return AdyenError(words(body, "errorCode"), words(body, "message"))


def read_money(body: Mapping[str, Any]) -> tuple[int, str]:
    """An `amount` in ISO's minor units, and its currency. Raises Unreadable."""
    amount = child(body, "amount")
    code = currency(amount)
    return AMOUNTS.read(minor_units(amount, "value"), code), code


def id_if_any(body: Mapping[str, Any], name: str) -> str | None:
    """An id, or None where there is none. Raises Unreadable."""
    return None if body.get(name) in (None, "") else identifier(body, name)


def psp_if_any(body: Mapping[str, Any], name: str) -> str | None:
    """A reference of Adyen's as it is kept here, or None where there is none. Raises Unreadable."""
    given = id_if_any(body, name)
    return None if given is None else as_kept(given)


def _additional_reference(body: Mapping[str, Any]) -> str | None:
    return id_if_any(_more(body), "merchantReference")


def _more(body: Mapping[str, Any]) -> Mapping[str, Any]:
    more = body.get("additionalData")
    return more if isinstance(more, dict) else {}


def _action(action: Mapping[str, Any]) -> NextAction:
    """A page to go to, or a code to show; anything else Adyen's library carries out, from the whole action."""
    kind = identifier(action, "type")
    if kind == "redirect" and action.get("method", "GET") == "GET" and not action.get("data"):
        try:
            return Redirect(address(action, "url"))
        except Unreadable:
            return Sdk("adyen", dict(action))  # longer than an address may be
    if kind == "qrCode" and action.get("qrCodeData"):
        picture = address(action, "url") if action.get("url") else None
        return Qr(_text(action, "qrCodeData"), picture)
    return Sdk("adyen", dict(action))


def _text(action: Mapping[str, Any], name: str) -> str:
    value = action.get(name)
    if type(value) is not str or not value.isprintable():
        raise Unreadable(f"{name} is no text")
    return value


def _ends_at(action: Mapping[str, Any]) -> datetime | None:
    given = action.get("expiresAt")
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(str(given))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
