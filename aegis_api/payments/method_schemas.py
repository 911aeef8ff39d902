"""How the payer pays: the `payment_method` of a payment, one schema for each type.

What a type needs beyond its name is not decided here: each gateway's adapter says it, and `intake.placing` holds a payment
against the gateways that take it.
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

from aegis_api.http.fields import BodySchema, Fault, OneOf, StrictField, Text, refusal
from aegis_api.tokens.card_schemas import CardField
from aegis_worker.domain.card_networks import NETWORKS

LONGEST_TOKEN, _MOST_TOKENS = 512, 16
_TOKEN = r"[!-~]{1,512}"
_GATEWAY = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_TOKEN_FORM = f"1 to {LONGEST_TOKEN} printable ASCII characters without a space"
_NOT_WITH_TOKENS = Fault("not_together", "Give either token, with its gateway, or tokens by gateway.")
_NOT_WITH_CARD = Fault("not_together", "Give either the card itself, or tokens.")
_WAYS = frozenset({"token", "gateway", "tokens"})
_WITHOUT_TOKEN = Fault("not_together", "Says which gateway issued the token, so it goes with token.")


def _type(name: str) -> OneOf:
    return OneOf(frozenset({name}), name, required=True)


class Tokens(StrictField):
    """Tokens by the gateway that issued each."""

    def __init__(self, **kwargs: Any) -> None:
        self._name, self._token = _gateway_name(), _token()
        documented = {
            "type": "object",
            "minProperties": 1,
            "maxProperties": _MOST_TOKENS,
            "propertyNames": {"pattern": f"^{_GATEWAY}$"},
            "additionalProperties": {"type": "string", "pattern": f"^{_TOKEN}$"},
        }
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise refusal("invalid_type", "Must be an object.")
        if not 1 <= len(value) <= _MOST_TOKENS:
            raise refusal("out_of_range", f"Must have 1 to {_MOST_TOKENS} tokens.")
        refused: dict[str, Any] = {}
        for name, token in value.items():
            try:
                self._name.deserialize(name)
                self._token.deserialize(token)
            except ValidationError as error:
                refused[name] = error.messages
        if refused:
            raise ValidationError(refused)
        return value


def _token(**kwargs: Any) -> Text:
    return Text(LONGEST_TOKEN, pattern=_TOKEN, form=_TOKEN_FORM, **kwargs)


def _gateway_name(**kwargs: Any) -> Text:
    return Text(64, pattern=_GATEWAY, form="a gateway's name", **kwargs)


class MethodSchema(BodySchema):
    """What every type of payment method may carry: the tokens that gateways issued for it."""

    token = _token(
        metadata={
            "example": "tok_visa",
            "description": (
                "What a gateway issued for the payer's card or account, in that gateway's own form. It is sent to no other "
                "gateway. Without `gateway` it must be clear which one issued it: a test token is taken by every sandbox; "
                "any other only where a single gateway takes the payment, and answers then show that `gateway`."
            ),
        }
    )
    gateway = _gateway_name(
        metadata={
            "example": "sandbox_a",
            "description": "The gateway that issued `token`, by its configured name.",
        }
    )
    tokens = Tokens(
        metadata={
            "example": {"stripe": "pm_1QX2bVKZ", "sandbox_a": "tok_visa"},
            "description": (
                "In place of `token`: tokens of the same card or account by the gateway that issued each. The payment may "
                "go to any of these gateways, and each gets its own token alone."
            ),
        }
    )

    def load(self, data: Any, **options: Any) -> dict[str, Any]:
        """As `StrictSchema.load`; tokens are given in one way only."""
        loaded = super().load(data, **options)
        if "tokens" in loaded and ("token" in loaded or "gateway" in loaded):
            raise ValidationError({"tokens": [_NOT_WITH_TOKENS]})
        if "gateway" in loaded and "token" not in loaded:
            raise ValidationError({"gateway": [_WITHOUT_TOKEN]})
        return loaded


class CardMethodSchema(MethodSchema):
    """A card, given as the token that a gateway or AegisPay's card vault made of it, or, where that vault is on, by itself.

    A card number in any other field than `card.number` is refused, and where the vault is off in this one too.
    """

    type = _type("card")
    card = CardField(
        metadata={
            "description": (
                "In place of tokens, and only where the card vault is on: the card itself, for this payment alone. Any "
                "gateway that takes cards may get the payment."
            )
        }
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

    def load(self, data: Any, **options: Any) -> dict[str, Any]:
        """As `MethodSchema.load`; a card itself needs no token."""
        loaded = super().load(data, **options)
        if "card" in loaded and not _WAYS.isdisjoint(loaded):
            raise ValidationError({"card": [_NOT_WITH_CARD]})
        return loaded


class UpiMethodSchema(MethodSchema):
    """A UPI payment, from a virtual payment address where the gateway asks for one."""

    type = _type("upi")
    vpa = Text(
        255,
        pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{1,189}@[A-Za-z][A-Za-z0-9.-]{1,63}",
        form="a virtual payment address such as name@bank",
        metadata={"example": "asha@okbank"},
    )


class NetBankingMethodSchema(MethodSchema):
    """A payment from the payer's bank account, at the bank's own site; some gateways let the payer choose the bank."""

    type = _type("net_banking")
    bank_code = Text(
        20,
        pattern=r"[A-Z0-9]{2,20}",
        form="2 to 20 capital letters or digits",
        metadata={"example": "HDFC"},
    )


class WalletMethodSchema(MethodSchema):
    """A payment from a wallet."""

    type = _type("wallet")
    provider = Text(
        40,
        pattern=r"[a-z0-9_]{2,40}",
        form="2 to 40 small letters, digits or _",
        required=True,
        metadata={"example": "paytm"},
    )


class PayLaterMethodSchema(MethodSchema):
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
