"""What rules may look at: fields of a payment, and of its payer.

Nobody looks an address up in a map: the payer's country is the one that was given with the billing address.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from operator import attrgetter
from typing import Any, NamedTuple

from aegis_worker.domain.payer import Payer
from aegis_worker.domain.payment import Payment
from aegis_worker.ids import made_at
from aegis_worker.matching.conditions import Field, Vocabulary
from aegis_worker.matching.kinds import (
    AMOUNT,
    COUNTRY,
    CURRENCY,
    METHOD,
    SWITCH,
    TEXT,
    Kind,
    one_of,
    whole,
)

from .addresses import ADDRESS


class Asked(NamedTuple):
    """A payment that rules are asked about, and what is known of its payer."""

    payment: Payment
    payer: Payer | None = None


def email_of(asked: Asked) -> str | None:
    """The payer's e-mail address in lower case; that of the customer where the payer has none."""
    found = _payer(asked).get("email") or asked.payment.customer.get("email")
    return found.casefold() if isinstance(found, str) else None


def address_of(asked: Asked) -> IPv4Address | IPv6Address | None:
    """The payer's IP address; IPv4 where IPv6 only wraps it."""
    given = _payer(asked).get("ip")
    if not isinstance(given, str):
        return None
    try:
        address = ip_address(given)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def countries_of(asked: Asked) -> frozenset[str]:
    """Every country that is known of who pays: of the customer, the bill and the goods."""
    known = (asked.payment.customer.get("country"), _address(asked, "billing"), _address(asked, "shipping"))
    return frozenset(country for country in known if isinstance(country, str))


def _payer(asked: Asked) -> Mapping[str, Any]:
    return asked.payer.details if asked.payer is not None else {}


def _address(asked: Asked, of: str) -> Any:
    address = _payer(asked).get(f"{of}_address")
    return address.get("country") if isinstance(address, Mapping) else None


def _domain(asked: Asked) -> str | None:
    email = email_of(asked)
    return email.rpartition("@")[2] if email else None


def _of_method(name: str) -> Any:
    return lambda asked: asked.payment.payment_method.get(name)


def _ip(asked: Asked) -> str | None:
    address = address_of(asked)
    return str(address) if address is not None else None


def _lower(value: Any) -> str | None:
    if wrong := TEXT.value(value):
        return wrong
    return None if value == value.casefold() else "is compared in lower case: write it so"


_LOWER = Kind(TEXT.operators, _lower)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

FIELDS = Vocabulary(
    {
        "amount": Field(attrgetter("payment.amount.minor"), AMOUNT),
        "currency": Field(attrgetter("payment.amount.currency"), CURRENCY),
        "payment_method": Field(_of_method("type"), METHOD),
        "merchant_id": Field(attrgetter("payment.merchant_id"), TEXT),
        "mode": Field(attrgetter("payment.mode"), one_of(("live", "test"), "mode")),
        "capture_method": Field(
            attrgetter("payment.terms.capture_method"), one_of(("automatic", "manual"), "capture method")
        ),
        "reference": Field(attrgetter("payment.reference"), TEXT),
        "off_session": Field(lambda asked: asked.payment.terms.off_session is True, SWITCH),
        "customer_id": Field(lambda asked: asked.payment.customer.get("id"), TEXT),
        "customer_country": Field(lambda asked: asked.payment.customer.get("country"), COUNTRY),
        "card_network": Field(_of_method("network"), TEXT),
        "card_last4": Field(_of_method("last4"), TEXT),
        "card_fingerprint": Field(_of_method("fingerprint"), TEXT),
        "provider": Field(_of_method("provider"), TEXT),
        "email": Field(email_of, _LOWER),
        "email_domain": Field(_domain, _LOWER),
        "payer_ip": Field(_ip, ADDRESS),
        "payer_country": Field(lambda asked: _address(asked, "billing"), COUNTRY),
        "shipping_country": Field(lambda asked: _address(asked, "shipping"), COUNTRY),
        "countries_differ": Field(lambda asked: len(countries_of(asked)) > 1, SWITCH),
        "hour": Field(lambda asked: made_at(asked.payment.id).hour, whole(0, 23)),
        "weekday": Field(
            lambda asked: _WEEKDAYS[made_at(asked.payment.id).weekday()], one_of(_WEEKDAYS, "weekday")
        ),
    },
    attrgetter("payment.terms.metadata"),
)
"""What a condition may look at; `hour` and `weekday` are those of acceptance, in UTC."""

PRIVATE = frozenset({"email", "payer_ip", "card_fingerprint", "card_last4", "customer_id"})
"""Fields whose values no finding repeats."""
