"""The `payer` of a payment: personal data, which answers never show."""

from __future__ import annotations

from typing import Any

from aegis_api.http.fields import BodySchema, Flag, Object, OneOf, Text, Whole
from aegis_worker.domain.countries import COUNTRIES
from aegis_worker.domain.hosts import IP_ADDRESS
from aegis_worker.domain.text import LINE

EMAIL = rf"(?={LINE[1:]})[^@\s]{{1,64}}@[^@\s.][^@\s]*\.[^@\s.]+"


def email(**kwargs: Any) -> Text:
    """An e-mail address."""
    return Text(254, pattern=EMAIL, form="an e-mail address", **kwargs)


def country(**kwargs: Any) -> OneOf:
    """A country."""
    return OneOf(COUNTRIES, "an ISO 3166-1 alpha-2 country code in capitals", **kwargs)


class BrowserSchema(BodySchema):
    """The payer's browser, as 3-D Secure asks for it."""

    user_agent = Text(2048, metadata={"example": "Mozilla/5.0", "description": "Its User-Agent header."})
    accept_header = Text(2048, metadata={"example": "text/html", "description": "Its Accept header."})
    language = Text(
        35,
        pattern=r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}",
        form="a language tag such as en-IN",
        metadata={"example": "en-IN", "description": "`navigator.language`."},
    )
    color_depth = Whole(1, 48, metadata={"example": 24, "description": "`screen.colorDepth`, in bits."})
    screen_width = Whole(0, 65_535, metadata={"example": 1920, "description": "`screen.width`, in pixels."})
    screen_height = Whole(0, 65_535, metadata={"example": 1080, "description": "`screen.height`, in pixels."})
    time_zone_offset = Whole(
        -840, 840, metadata={"example": -330, "description": "`new Date().getTimezoneOffset()`, in minutes."}
    )
    java_enabled = Flag(metadata={"example": False, "description": "`navigator.javaEnabled()`."})
    javascript_enabled = Flag(metadata={"example": True, "description": "Whether scripts run in it."})


class PostalAddressSchema(BodySchema):
    """A postal address."""

    name = Text(255, metadata={"example": "Asha Rao", "description": "Who lives or works there."})
    line1 = Text(255, metadata={"example": "12 MG Road", "description": "Street and number."})
    line2 = Text(255, metadata={"example": "Flat 3", "description": "What else the address needs."})
    city = Text(255, metadata={"example": "Bengaluru", "description": "City, town or village."})
    state = Text(255, metadata={"example": "KA", "description": "State, province or region."})
    postal_code = Text(32, metadata={"example": "560001", "description": "The postal code."})
    country = country(required=True, metadata={"example": "IN", "description": "The country's code."})


class PayerSchema(BodySchema):
    """Who pays: what gateways want to know for authentication and against fraud.

    Gateways are sent those of the fields that they take. Answers, events and webhooks never show it. It is kept for
    `AEGIS_PAYER_KEEP_D` days, or until `aegis erase` removes what is known of a customer.
    """

    email = email(metadata={"example": "asha@shop.example", "description": "The payer's e-mail address."})
    phone = Text(
        16,
        pattern=r"\+[1-9][0-9]{6,14}",
        form="a telephone number as E.164 has it: + and 7 to 15 digits",
        metadata={"example": "+918041234567", "description": "The payer's telephone number."},
    )
    ip = Text(
        45,
        pattern=IP_ADDRESS,
        form="an IPv4 or IPv6 address",
        metadata={"example": "203.0.113.7", "description": "The address that the payer's browser has."},
    )
    browser = Object(BrowserSchema(), metadata={"description": "The payer's browser."})
    billing_address = Object(PostalAddressSchema(), metadata={"description": "Where the bill goes."})
    shipping_address = Object(PostalAddressSchema(), metadata={"description": "Where the goods go."})
