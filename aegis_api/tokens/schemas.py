"""The bodies and answers of /v1/tokens."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields

from aegis_api.http.documented import Answer, one_of, text, time, whole
from aegis_api.http.fields import BodySchema, Fault, Object, OneOf, StrictSchema, Text
from aegis_worker.domain.card_networks import NETWORKS

from .card_schemas import CardField

ONCE, KEPT = "once", "kept"


class TokenCustomerSchema(BodySchema):
    """Whose card it is."""

    id = Text(
        255,
        required=True,
        metadata={"example": "cus_117", "description": "The merchant's own id of the customer."},
    )


class TokenRequestSchema(BodySchema):
    """A card to take a token for."""

    card = CardField(required=True, metadata={"description": "The card as its holder gives it."})
    usage = OneOf(
        frozenset({ONCE, KEPT}),
        "once or kept",
        load_default=ONCE,
        metadata={
            "example": KEPT,
            "description": (
                "once, the default: for a single payment; it is forgotten when that is over, after 15 minutes at most "
                "if it has a security code, and else after 24 hours. kept: until it is destroyed, which needs the payer's "
                "consent."
            ),
        },
    )
    customer = Object(
        TokenCustomerSchema(), metadata={"description": "Whose card it is; only for one that is kept."}
    )

    def load(self, data: Any, **options: Any) -> dict[str, Any]:
        """As `StrictSchema.load`; a card of a single payment is no customer's."""
        loaded = super().load(data, **options)
        if "customer" in loaded and loaded["usage"] != KEPT:
            raise ValidationError(
                {"customer": [Fault("not_together", "Only a card that is kept belongs to a customer.")]}
            )
        return loaded


class TokensQuerySchema(StrictSchema):
    """GET /v1/tokens."""

    customer_id = Text(
        255,
        required=True,
        metadata={"description": "The merchant's own id of the customer, as it was given."},
    )


class TokenSchema(Answer):
    """A card in the vault. What is shown here is all that leaves the vault, but for calls to gateways."""

    id = text("Give it as `payment_method.token` of a payment.")
    object = one_of("token")
    usage = one_of(ONCE, KEPT, description="As it was asked for.")
    network = text(f"One of {', '.join(NETWORKS)}; null for any other.", none=True)
    last4 = text("The last four digits of its number.")
    exp_month = whole("The month it expires.")
    exp_year = whole("The year it expires.")
    fingerprint = text(
        "The same for the same card number of this merchant. The number does not follow from it."
    )
    has_security_code = fields.Boolean(
        required=True,
        metadata={"description": "Whether its security code is held now, for the next payment with it."},
    )
    created_at = time()


class TokenListSchema(Answer):
    """A customer's newest cards that are kept; they always fit on one page."""

    data = fields.List(fields.Nested(TokenSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text(none=True)
