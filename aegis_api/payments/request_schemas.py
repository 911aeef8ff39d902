"""The body of POST /v1/payments. Every limit stands here, and the OpenAPI document is made from it."""

from __future__ import annotations

from aegis_api.http.composed import Metadata, Union, WebAddress
from aegis_api.http.fields import BodySchema, Name, Object, OneOf, Text, Whole
from aegis_worker.domain.card_networks import NETWORKS
from aegis_worker.domain.countries import COUNTRIES
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.terms import DESCRIPTOR, DESCRIPTOR_RULE, LONGEST_DESCRIPTOR, SHORTEST_DESCRIPTOR
from aegis_worker.domain.text import LINE


def _type(name: str) -> OneOf:
    return OneOf(frozenset({name}), name, required=True)


class CardMethodSchema(BodySchema):
    """A card, given as the token that a gateway made of it. A card number is always refused."""

    type = _type("card")
    token = Text(
        124,
        pattern=r"tok_[A-Za-z0-9_]{1,120}",
        form="a token: tok_ and 1 to 120 letters, digits or _",
        required=True,
        metadata={"example": "tok_visa"},
    )
    network = OneOf(
        frozenset(NETWORKS),
        f"one of {', '.join(NETWORKS)}",
        metadata={
            "example": "visa",
            "description": (
                "The card's network. If it is given, AegisPay keeps to the network's limits on trying a declined card "
                "again: a payment beyond them is not sent, and fails with `card_retry_limit` or `card_barred`."
            ),
        },
    )


class UpiMethodSchema(BodySchema):
    """A UPI payment from a virtual payment address."""

    type = _type("upi")
    vpa = Text(
        255,
        pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{1,189}@[A-Za-z][A-Za-z0-9.-]{1,63}",
        form="a virtual payment address such as name@bank",
        required=True,
        metadata={"example": "asha@okbank"},
    )


class NetBankingMethodSchema(BodySchema):
    """A payment from the payer's bank account, at the bank's own site."""

    type = _type("net_banking")
    bank_code = Text(
        20,
        pattern=r"[A-Z0-9]{2,20}",
        form="2 to 20 capital letters or digits",
        required=True,
        metadata={"example": "HDFC"},
    )


class WalletMethodSchema(BodySchema):
    """A payment from a wallet."""

    type = _type("wallet")
    provider = Text(
        40,
        pattern=r"[a-z0-9_]{2,40}",
        form="2 to 40 small letters, digits or _",
        required=True,
        metadata={"example": "paytm"},
    )


class PayLaterMethodSchema(BodySchema):
    """A payment that a lender advances."""

    type = _type("pay_later")
    provider = Text(
        40,
        pattern=r"[a-z0-9_]{2,40}",
        form="2 to 40 small letters, digits or _",
        required=True,
        metadata={"example": "klarna"},
    )


PAYMENT_METHODS: dict[str, BodySchema] = {
    "card": CardMethodSchema(),
    "upi": UpiMethodSchema(),
    "net_banking": NetBankingMethodSchema(),
    "wallet": WalletMethodSchema(),
    "pay_later": PayLaterMethodSchema(),
}


class CustomerSchema(BodySchema):
    """Who pays. Every field is optional."""

    id = Text(
        255,
        metadata={
            "example": "cus_117",
            "description": "The merchant's own id of the customer. Payments can be listed by it.",
        },
    )
    email = Text(
        254,
        pattern=rf"(?={LINE[1:]})[^@\s]{{1,64}}@[^@\s.][^@\s]*\.[^@\s.]+",
        form="an e-mail address",
        metadata={"example": "asha@shop.example"},
    )
    name = Text(255, metadata={"example": "Asha Rao"})
    country = OneOf(COUNTRIES, "an ISO 3166-1 alpha-2 country code in capitals", metadata={"example": "IN"})


class PaymentRequestSchema(BodySchema):
    """A payment to make."""

    amount = Whole(
        1,
        MAX_MINOR,
        required=True,
        metadata={"example": 1999, "description": "Minor units: 1999 USD is 19.99 US dollars."},
    )
    currency = OneOf(EXPONENTS, "an ISO 4217 code in capitals", required=True, metadata={"example": "USD"})
    capture_method = OneOf(
        frozenset({"automatic"}),
        "automatic",
        refused={"manual": "Capturing later is not available yet; use automatic, or leave the field out."},
        metadata={"description": "When the money is taken. The default is automatic."},
    )
    payment_method = Union(PAYMENT_METHODS, required=True)
    reference = Name(
        metadata={
            "example": "order-1042",
            "description": (
                "The merchant's own reference. It must be unique among payments that have not failed or been cancelled. "
                "Answers show it as it was given. Two references are the same if they differ only in surrounding spaces, "
                "in invisible characters, or in forms that Unicode normalization (NFKC) makes equal. The normalized form "
                "has at most 255 characters too."
            ),
        },
    )
    customer = Object(CustomerSchema())
    description = Text(
        500,
        lines=True,
        metadata={
            "example": "Two tickets",
            "description": "What is paid for. Line breaks and tabs are allowed.",
        },
    )
    statement_descriptor = Text(
        LONGEST_DESCRIPTOR,
        shortest=SHORTEST_DESCRIPTOR,
        pattern=DESCRIPTOR,
        form=DESCRIPTOR_RULE,
        metadata={
            "example": "BLUE TICKETS",
            "description": (
                "What the payer reads on the bank or card statement, if the gateway supports it: 5 to 22 characters, "
                f"{DESCRIPTOR_RULE}. Banks may show it in capital letters, or cut it off."
            ),
        },
    )
    return_url = WebAddress(
        metadata={
            "example": "https://shop.example/return",
            "description": "The page to which the payer returns after an action. https only, or http for loopback.",
        }
    )
    metadata = Metadata(metadata={"example": {"cart": "c-81", "items": 2}})
