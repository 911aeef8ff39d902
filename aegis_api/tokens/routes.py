"""Tokens for cards: taken, looked at, destroyed. Only where the card vault is on."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_merchant, require_scope
from aegis_api.http.idempotency import idempotency_key
from aegis_api.http.openapi import A_BODY, A_KEY, Blueprint, headers, refuses, takes
from aegis_api.http.parts import asked, parts
from aegis_api.http.requests import NOTHING_HERE, id_parameter, known_form
from aegis_worker.domain.cards import Card
from aegis_worker.errors import NotFound, VaultOff
from aegis_worker.ids import CARD
from aegis_worker.strict_json import request_hmac
from aegis_worker.vault.vault import TokenRequest, Vault
from aegis_worker.views.pages import list_body
from aegis_worker.views.tokens import token_body

from . import examples
from .card_schemas import identity
from .schemas import KEPT, TokenListSchema, TokenRequestSchema, TokenSchema, TokensQuerySchema

blueprint = Blueprint(
    "tokens", __name__, url_prefix="/v1", description="Tokens for cards, where the card vault is on."
)
blueprint.before_request(require_merchant)

TOKENS_ROUTE = "POST /v1/tokens"
_TOKEN_ID = id_parameter("token_id", CARD, "A token of the card vault.")


@blueprint.before_request
def _only_where_it_is_on() -> None:
    # Before a body is read, so that where the vault is off nothing of a card is looked at. Which methods a path takes is
    # told all the same.
    if asked().method != "OPTIONS":
        vault()


@blueprint.route("/tokens", methods=["POST"])
@takes("Idempotency-Key")
@refuses(
    *A_BODY,
    *A_KEY,
    "card_gone",
    "vault_off",
    "vault_unavailable",
)
@blueprint.arguments(TokenRequestSchema(), card_at="/card", example=examples.TOKEN_REQUEST)
@blueprint.response(
    201,
    TokenSchema(),
    description="The card is in the vault.",
    example=examples.TOKEN,
    headers=headers("Location", "Idempotent-Replayed"),
)
def create_token(body: dict[str, Any]) -> Response:
    """Take a token for a card

    The key needs the scope `tokens:write`. The card is sealed before anything is stored; the answer shows its network, last
    four digits and expiry. A repeated request gets the same token again, with `Idempotent-Replayed: true`; a security code
    that it carries is not held again.
    """
    require_scope("tokens:write")
    card: Card = body["card"]
    known = vault().vaulted(g.owner, card, kept=body["usage"] == KEPT)
    identified = {**body, "card": identity(card, known.fingerprint)}
    request = TokenRequest(
        idempotency_key(),
        request_hmac(parts().web.settings.secret, TOKENS_ROUTE, identified),
        body.get("customer", {}).get("id"),
    )
    token = vault().make(g.owner, known, card, request)
    replayed = {"Idempotent-Replayed": "true"} if token.replayed else {}
    where = {"Location": f"/v1/tokens/{token.card.token}"}
    return answer(token_body(token.card, token.created_at), 201, {**where, **replayed})


@blueprint.route("/tokens")
@refuses("validation_failed", "vault_off", "vault_unavailable")
@blueprint.arguments(TokensQuerySchema(), location="query")
@blueprint.response(200, TokenListSchema(), example=examples.TOKENS, headers=headers())
def list_tokens(query: dict[str, Any]) -> Response:
    """List a customer's cards

    Those that are kept, newest first, at most 100: what the customer may choose from, or be charged by without being there.
    """
    tokens = [made.card.token for made in vault().of_customer(g.owner, query["customer_id"])]
    found = vault().look_at(g.owner, tokens)
    kept = [found[token] for token in tokens if token in found]
    return answer(list_body([token_body(made.card, made.created_at) for made in kept], None))


@blueprint.route("/tokens/<token_id>", parameters=[_TOKEN_ID])
@refuses("not_found", "vault_off", "vault_unavailable")
@blueprint.response(200, TokenSchema(), example=examples.TOKEN, headers=headers())
def get_token(token_id: str) -> Response:
    """Look at a token

    It is not found once it is destroyed, or, if it is for a single payment, once that is over.
    """
    found = vault().look_at(g.owner, [known_form(token_id, CARD)])
    if token_id not in found:
        raise NotFound(NOTHING_HERE)
    return answer(token_body(found[token_id].card, found[token_id].created_at))


@blueprint.route("/tokens/<token_id>", methods=["DELETE"], parameters=[_TOKEN_ID])
@refuses("not_found", "vault_off", "vault_unavailable")
@blueprint.response(204, description="The card is destroyed.", headers=headers())
def destroy_token(token_id: str) -> Response:
    """Destroy a card

    The key needs the scope `tokens:write`. Its ciphertext and its security code are gone for good; payments that were
    accepted with it and not sent yet fail. Destroying it again is answered alike.
    """
    require_scope("tokens:write")
    if not vault().destroy(g.owner, known_form(token_id, CARD)):
        raise NotFound(NOTHING_HERE)
    return Response(status=204)


def vault() -> Vault:
    """The vault. Raises VaultOff."""
    found = parts().web.vault
    if found is None:
        raise VaultOff("no card vault is turned on here: send the token that a gateway made of the card")
    return found
