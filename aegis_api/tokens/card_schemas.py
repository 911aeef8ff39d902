"""A card in a request's body: the only object in which a card number is taken, and only where the card vault is on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError

from aegis_api.http.fields import BodySchema, Fault, StrictField, Text, Whole
from aegis_worker.domain.cards import Card, faults_of

NUMBER_DIGITS, CODE_DIGITS = (12, 19), (3, 4)


def _digits(least: int, most: int, **documented: Any) -> Text:
    return Text(
        most,
        shortest=least,
        pattern=f"[0-9]{{{least},{most}}}",
        form=f"{least} to {most} digits without anything between them",
        **documented,
    )


class CardSchema(BodySchema):
    """A card as its holder gives it. It is sealed before anything is stored, and no answer shows number or code again."""

    number = _digits(
        *NUMBER_DIGITS,
        required=True,
        metadata={
            "writeOnly": True,
            "description": "The card's number, of a known network, with its check digit.",
        },
    )
    exp_month = Whole(1, 12, required=True, metadata={"example": 11, "description": "The month it expires."})
    exp_year = Whole(
        2000,
        2099,
        required=True,
        metadata={"example": 2030, "description": "The year it expires, with four digits."},
    )
    cvc = _digits(
        *CODE_DIGITS,
        metadata={
            "writeOnly": True,
            "description": (
                "The security code, for one payment with the payer present. It is forgotten when that is approved or "
                "declined for good, and after 15 minutes at the latest."
            ),
        },
    )
    holder = Text(255, metadata={"example": "Asha Rao", "description": "The name on the card."})

    def load(self, data: Any, **options: Any) -> Any:
        """The card. Raises ValidationError; nothing of the card is in it."""
        card = Card(**super().load(data, **options))
        found: dict[str, list[Fault]] = {}
        for fault in faults_of(card, datetime.now(UTC)):
            found.setdefault(fault.field, []).append(Fault(fault.code, fault.detail))
        if found:
            raise ValidationError(found)
        return card


class CardField(StrictField):
    """A card, by CardSchema."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {"$ref": "#/components/schemas/Card"} | kwargs.pop("metadata", {})
        super().__init__(metadata=documented, **kwargs)
        self._schema = CardSchema()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Card:
        card: Card = self._schema.load(value)
        return card


def identity(card: Card, fingerprint: str) -> Mapping[str, Any]:
    """What stands for a card where a request is told from another: its number only as the vault's fingerprint of it.

    An HMAC over the number itself would be kept beside the first and last digits, and whoever knew its key could try the
    few numbers that are left. The fingerprint's key is the vault's alone. The security code is left out, because of its
    thousand values not even a keyed hash may be kept after the payment (PCI DSS 4.0, requirement 3.3.1): so a repeat with
    another code is still the same request.
    """
    given = {
        "fingerprint": fingerprint,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "holder": card.holder,
    }
    return {name: value for name, value in given.items() if value is not None}
