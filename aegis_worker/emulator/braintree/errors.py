"""Braintree's errors: developer.paypal.com/braintree/docs/reference/general/validation-errors/all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..replies import Refusal, Reply
from .validations import VALIDATIONS, Validation
from .xml import Many, Symbol, document

XML = {"Content-Type": "application/xml; charset=utf-8"}


def xml_reply(status: int, tag: str, value: Any) -> Reply:
    """An answer with one element."""
    return Reply(status, document(tag, value), dict(XML))


class Refused(Refusal):
    """The call is refused by a validation: nothing of it is kept. `detail` stands behind the validation's words."""

    def __init__(
        self, name: str, params: Mapping[str, Any] | None = None, *, status: int = 422, detail: str = ""
    ) -> None:
        validation = VALIDATIONS[name]
        super().__init__(status, validation.code, validation.message + detail)
        self._validation, self._detail, self.params = validation, detail, params or {}

    @property
    def reply(self) -> Reply:
        """What goes back."""
        message = self._validation.message + self._detail
        return error_reply(message, self.params, errors=_tree(self._validation, message))


class InvalidKeys(Refusal):
    """The body has fields that there are not."""

    def __init__(self, *names: str) -> None:
        self._message = f"Invalid params: {', '.join(names)}"
        super().__init__(403, "invalid_params", self._message)

    @property
    def reply(self) -> Reply:
        """What goes back."""
        return xml_reply(403, "api_error_response", {"message": self._message})


class Bare(Refusal):
    """An answer that has a status and nothing else: 400, 404, 503."""

    def __init__(self, status: int) -> None:
        super().__init__(status, "", f"answered {status}")
        self._status = status

    @property
    def reply(self) -> Reply:
        """What goes back."""
        return bare(self._status)


class BraintreeWording:
    """What goes wrong at the gateway itself. Braintree says little of it."""

    def failed(self, *, done: bool) -> Reply:
        """A 500, which does not say whether the call was carried out."""
        return bare(500)

    def unavailable(self) -> Reply:
        """A 503."""
        return bare(503)

    def unauthorized(self) -> Reply:
        """The keys are refused."""
        return bare(401)

    def busy(self) -> Reply:
        """The first call with this key is still under way."""
        return Refused("key_in_flight").reply

    def too_many(self, retry_after_s: int) -> Reply:
        """A 429."""
        reply = bare(429)
        reply.headers["Retry-After"] = str(retry_after_s)
        return reply

    def misspelt(self, message: str) -> Refusal:
        """A script that is not there."""
        return Refused("token_invalid", detail=f" {message}")


def bare(status: int) -> Reply:
    """A status and an empty body."""
    return Reply(status, b"\n", dict(XML))


def error_reply(
    message: str,
    params: Mapping[str, Any],
    *,
    errors: Mapping[str, Any] | None = None,
    transaction: Mapping[str, Any] | None = None,
) -> Reply:
    """An error: with the tree of what is not valid, or with the transaction that was declined."""
    body: dict[str, Any] = {"errors": errors or {"errors": _listed()}, "params": params, "message": message}
    if transaction is not None:
        body["transaction"] = transaction
    return xml_reply(422, "api_error_response", body)


def _tree(validation: Validation, message: str) -> dict[str, Any]:
    leaf = {"code": validation.code, "attribute": Symbol(validation.attribute), "message": message}
    tree: dict[str, Any] = {"errors": _listed(leaf)}
    for place, name in reversed(list(enumerate(validation.path))):
        tree = {name: tree} if place == len(validation.path) - 1 else {name: {"errors": _listed(), **tree}}
    return {"errors": _listed(), **tree}


def _listed(*errors: Mapping[str, Any]) -> Many:
    return Many("error", errors)
