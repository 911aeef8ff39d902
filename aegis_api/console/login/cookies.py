"""The console's two cookies: a session's token, and, before there is one, the token of forms.

Over https their names begin with `__Host-`, so that a browser takes them from this very host over https only, and sends
them nowhere else. `Strict` keeps them off every request that another site causes. Both end with the browser.
"""

from __future__ import annotations

import re

from flask import Response

from aegis_api.http.parts import asked, parts

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_SESSION, _FORM = "aegis-session", "aegis-form"


def session_token() -> str | None:
    """The token of a session that the request shows, where it has the form of one."""
    return _shown(_SESSION)


def form_token() -> str | None:
    """The token of forms that the request shows."""
    return _shown(_FORM)


def give_session(response: Response, token: str) -> None:
    """Have the browser keep a session's token, and forget that of forms."""
    _give(response, _SESSION, token)
    _take(response, _FORM)


def take_session(response: Response) -> None:
    """Have the browser forget the session."""
    _take(response, _SESSION)


def give_form(response: Response, token: str) -> None:
    """Have the browser keep a token of forms."""
    _give(response, _FORM, token)


def _shown(name: str) -> str | None:
    given = asked().cookies.get(_name(name), "")
    return given if _TOKEN.fullmatch(given) else None


def _give(response: Response, name: str, token: str) -> None:
    is_https = parts().web.settings.console.is_https
    response.set_cookie(_name(name), token, path="/", secure=is_https, httponly=True, samesite="Strict")


def _take(response: Response, name: str) -> None:
    is_https = parts().web.settings.console.is_https
    response.delete_cookie(_name(name), path="/", secure=is_https, httponly=True, samesite="Strict")


def _name(name: str) -> str:
    return f"__Host-{name}" if parts().web.settings.console.is_https else name
