"""What a form of the console sends, and the token that shows that the form is ours."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from flask import g

from aegis_api.http.parts import asked, parts
from aegis_api.http.problems import RequestRefused
from aegis_api.http.requests import CARD_FOUND, whole_body
from aegis_worker.domain.card_search import holds_card_data
from aegis_worker.people.codes import new_token

from . import cookies

FIELD, HEADER = "csrf", "X-CSRF-Token"
_MEDIA_TYPE = "application/x-www-form-urlencoded"
_MOST_FIELDS = 64
# These may look like a card's number, and nothing of them is kept or shown.
_SECRET_FIELDS = {
    FIELD,
    "password",
    "password_again",
    "code",
    "welcome_code",
    "seen",
    "new_password",
    "new_password_again",
}


def posted() -> Mapping[str, str]:
    """The fields of the form that was posted, each once. Raises RequestRefused."""
    if "form" not in g:
        g.form = _read()
    fields: Mapping[str, str] = g.form
    return fields


def csrf_token() -> str:
    """The token for a form of this page: made from the session's token, or from one of forms before there is a session.

    It can't be made into the one that it was made from, so a page that leaks gives no session away.
    """
    return _made_from(_basis())


def is_from_our_form() -> bool:
    """Whether the request carries the token of a form of ours, and no browser says that another site sent it."""
    if not _is_same_origin():
        return False
    given = asked().headers.get(HEADER) or posted().get(FIELD, "")
    basis = cookies.session_token() if "person" in g else cookies.form_token()
    return basis is not None and hmac.compare_digest(given.encode(), _made_from(basis).encode())


def _is_same_origin() -> bool:
    request = asked()
    origin = request.headers.get("Origin")
    if origin is not None:
        ours = parts().web.settings.console.url or f"http://{request.host}"
        return origin.lower() == ours.lower()
    return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")


def _basis() -> str:
    if "person" in g and (token := cookies.session_token()) is not None:
        return token
    if "new_form_token" not in g and cookies.form_token() is None:
        g.new_form_token = new_token()
    basis: str = g.get("new_form_token") or cookies.form_token() or ""
    return basis


def _made_from(token: str) -> str:
    return hmac.new(token.encode(), b"a form of the console", hashlib.sha256).hexdigest()


def _read() -> Mapping[str, str]:
    try:
        pairs = parse_qsl(
            whole_body(_MEDIA_TYPE).decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise RequestRefused("bad_request", "That is no form of this console.") from None
    if any("\0" in value for pair in pairs for value in pair):
        raise RequestRefused("bad_request", "A form of this console holds no NUL.")
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise RequestRefused("bad_request", "A field of the form is there twice.")
    if any(holds_card_data(value) for name, value in pairs if name not in _SECRET_FIELDS):
        raise RequestRefused("sensitive_data_rejected", CARD_FOUND)
    return fields
