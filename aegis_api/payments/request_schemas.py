"""The body of POST /v1/payments. Every limit stands here or in `method_schemas`; the OpenAPI document is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from aegis_api.http.composed import Metadata, Objects, Opaque, Union, WebAddress
from aegis_api.http.fields import BodySchema, Fault, Flag, Name, Object, OneOf, Text, Whole
from aegis_api.http.query_fields import Moment
from aegis_worker.domain.cards import Card
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.scheduling import FARTHEST_D
from aegis_worker.domain.terms import DESCRIPTOR, DESCRIPTOR_RULE, LONGEST_DESCRIPTOR, SHORTEST_DESCRIPTOR

from .method_schemas import PAYMENT_METHODS
from .payer_schemas import PayerSchema, country, email

_CODE_OFF_SESSION = Fault("not_taken", "Off session nobody is there to give it: leave it out.")


class CustomerSchema(BodySchema):
    """Who pays. Every field is optional."""

    id = Text(
        255,
        metadata={
            "example": "cus_117",
            "description": "The merchant's own id of the customer. Payments can be listed by it.",
        },
    )
    email = email(metadata={"example": "asha@shop.example"})
    name = Text(255, metadata={"example": "Asha Rao"})
    country = country(metadata={"example": "IN"})


class OrderLineSchema(BodySchema):
    """One line of what is bought."""

    name = Text(255, required=True, metadata={"example": "Ticket", "description": "What it is."})
    quantity = Whole(1, 1_000_000, required=True, metadata={"example": 2, "description": "How many of it."})
    unit_amount = Whole(
        -MAX_MINOR,
        MAX_MINOR,
        required=True,
        metadata={
            "example": 999,
            "description": "What one of it costs, in minor units of the payment's currency; negative for a discount.",
        },
    )
    tax_amount = Whole(
        0, MAX_MINOR, metadata={"example": 180, "description": "The tax in the whole line, in minor units."}
    )
    reference = Text(255, metadata={"example": "sku-7", "description": "The merchant's own id of it."})


_PAYER_IS_AWAY = Fault("not_together", "The payer of a payment for later is not there, so it can't be false.")
_ONLY_WITHOUT_THE_PAYER = ("off_session_reason", "network_transaction_id")
_PAYER_IS_THERE = {
    False: Fault("not_together", "Only of a payment whose payer is away: send off_session."),
    True: Fault("not_together", "Only of a payment whose payer is there to agree: not with off_session."),
}
_NEEDS_ITS_PAYER = Fault(
    "not_together",
    "A payment for later takes tokens only, because its payer will not be there to do anything.",
)


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
        frozenset({"automatic", "manual"}),
        "automatic or manual",
        metadata={
            "description": (
                "When the money is taken: automatic, which is the default, or by captures later; until then it is held. "
                "How long a hold lasts depends on the gateway and the card."
            )
        },
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
    payer = Object(
        PayerSchema(), metadata={"description": "Who pays, for gateways that ask. Answers never show it."}
    )
    scheduled_at = Moment(
        metadata={
            "description": (
                "Charge it then, or within seconds after: in the future and at most "
                f"{FARTHEST_D} days ahead, by the clock of the database. Until then it can be cancelled. The payer is "
                "taken to be away (`off_session`), so what pays has to be a token."
            ),
        }
    )
    off_session = Flag(
        metadata={
            "example": False,
            "description": "true: the payer is not there to do anything, as when a subscription is renewed.",
        }
    )
    off_session_reason = OneOf(
        frozenset({"unscheduled", "recurring"}),
        "unscheduled or recurring",
        metadata={
            "description": (
                "Only with off_session: whether the charge is one of a series at fixed intervals. Unscheduled if left out."
            )
        },
    )
    setup_future_usage = OneOf(
        frozenset({"on_session", "off_session"}),
        "on_session or off_session",
        metadata={
            "description": (
                "The payer, who is there, agrees that the card is kept: for payments with them there, or also without them."
            )
        },
    )
    network_transaction_id = Text(
        64,
        pattern=r"[A-Za-z0-9_-]{4,64}",
        form="4 to 64 letters, digits, _ and -",
        metadata={
            "example": "016120310293123",
            "description": (
                "Only with off_session: the card network's id of the payment at which the payer agreed to it, for a card "
                "that no gateway keeps. If left out, it is taken from the customer's earlier payments with this card of "
                "the vault."
            ),
        },
    )
    mandate = Text(
        255,
        pattern=r"[!-~]{1,255}",
        form="1 to 255 printable ASCII characters without a space",
        metadata={
            "example": "mandate_1QX2bVKZ",
            "description": (
                "The gateway's own id of what the payer agreed to before. It belongs to that gateway, so one gateway only "
                "may be able to take the payment: name it with the token."
            ),
        },
    )
    order_lines = Objects(
        OrderLineSchema(),
        most=200,
        metadata={"description": "What is bought, for gateways that ask: 1 to 200 lines."},
    )
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

    def load(self, data: Any, **options: Any) -> dict[str, Any]:
        """As `StrictSchema.load`; what needs the payer to be there, or away, goes with nothing else."""
        loaded = super().load(data, **options)
        if refused := _of_the_other_session(loaded) or _not_for_later(loaded):
            raise ValidationError(refused)
        return loaded


def _of_the_other_session(body: Mapping[str, Any]) -> dict[str, Any]:
    is_away = "scheduled_at" in body or body.get("off_session") is True
    wrong = ("setup_future_usage",) if is_away else _ONLY_WITHOUT_THE_PAYER
    refused: dict[str, Any] = {name: [_PAYER_IS_THERE[is_away]] for name in wrong if name in body}
    card: Card | None = body["payment_method"].get("card")
    if card is not None and card.cvc is not None and is_away:
        refused["payment_method"] = {"card": {"cvc": [_CODE_OFF_SESSION]}}
    return refused


def _not_for_later(body: Mapping[str, Any]) -> dict[str, Any]:
    if "scheduled_at" not in body:
        return {}
    if body.get("off_session") is False:
        return {"off_session": [_PAYER_IS_AWAY]}
    has_token = bool({"token", "tokens"} & body["payment_method"].keys())
    return {} if has_token else {"payment_method": [_NEEDS_ITS_PAYER]}


class ConfirmRequestSchema(BodySchema):
    """What the payer brought back from an action."""

    gateway_data = Opaque(
        required=True,
        metadata={
            "example": {"challenge_result": "cres_4f0c"},
            "description": "What the gateway's library or redirect gave the frontend, unchanged.",
        },
    )
