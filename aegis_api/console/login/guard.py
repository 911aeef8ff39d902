"""The guard before every page of the console: who is there, what they may do, and whether a form is ours.

Every view of a `ConsoleBlueprint` goes through it, so none is open by oversight: one that names no role needs a viewer to
be read and an operator to change anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Blueprint, Response, g, redirect, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from aegis_api.http.parts import asked, parts
from aegis_api.http.problems import RequestRefused, body_of, report
from aegis_worker.domain.people import Person, Role, may
from aegis_worker.errors import AegisError, InsufficientScope, NotFound
from aegis_worker.people import sessions

from . import cookies
from .forms import csrf_token, is_from_our_form
from .places import HOME, LOGIN, client_address, is_loopback, page_of_ours

__all__ = ["ConsoleBlueprint", "address", "answer_with", "csrf_token", "open_to_all", "person", "required"]

View = TypeVar("View", bound=Callable[..., Any])
_OPEN = "open"
_READING = {"GET", "HEAD", "OPTIONS"}
_NOT_OUR_FORM = (
    "This form is too old, or does not come from this console. Nothing was done: go back, reload the page, and send it "
    "again."
)
_TEMPLATES = Path(__file__).parents[1] / "templates"
# The referrer must reach our own pages: without it browsers say `Origin: null` of our own forms.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class ConsoleBlueprint(Blueprint):
    """A blueprint under /console, each of whose views is guarded."""

    def __init__(self, name: str, import_name: str, **more: Any) -> None:
        super().__init__(name, import_name, url_prefix="/console", template_folder=str(_TEMPLATES), **more)
        self.before_request(_find_person)
        self.after_request(_harden)
        self.register_error_handler(AegisError, _problem_page)
        self.register_error_handler(Exception, _broken_page)
        self.context_processor(lambda: {"csrf_token": csrf_token, "person": g.get("person")})

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Called by `route` for each view."""
        guarded = None if view_func is None else _guarded(view_func)
        super().add_url_rule(rule, endpoint, guarded, provide_automatic_options, **options)


def required(role: Role) -> Callable[[View], View]:
    """Says that a view needs this role. Stands below `route`."""

    def marked(view: View) -> View:
        vars(view)["_needs"] = role
        return view

    return marked


def open_to_all(view: View) -> View:
    """Says that a view needs nobody to be logged in. Its forms need their token all the same."""
    vars(view)["_needs"] = _OPEN
    return view


def person() -> Person:
    """Who is logged in, in a view that needs somebody to be."""
    found: Person = g.person
    return found


def address() -> str:
    """From where the request comes, as far as we can believe it."""
    request = asked()
    return client_address(
        request.environ.get("REMOTE_ADDR", ""),
        request.environ.get("HTTP_X_FORWARDED_FOR", ""),
        parts().web.settings.console.proxies,
    )


def answer_with(headers: Mapping[str, str]) -> None:
    """Send these in place of the usual headers of the console. For what is shown in a frame, and the page around it."""
    g.console_headers = headers


def _find_person() -> None:
    """Before each request: set `g.person` where somebody is logged in. Raises NotFound where there is no console."""
    settings, request = parts().web.settings, asked()
    if not settings.console.url and (settings.is_production or not is_loopback(request.host)):
        raise NotFound(
            "The console is reached by AEGIS_CONSOLE_URL, or, while that is empty and not in production, by a loopback "
            "address of its own machine."
        )
    if "\0" in request.path or any("\0" in value for value in request.args.values()):
        # PostgreSQL takes none, and no address of ours has one.
        raise NotFound("There is no such page in this console.")
    token = cookies.session_token()
    if token is None:
        return
    # What a page asks by itself is no sign of a person.
    by_itself = request.method in _READING and request.headers.get("HX-Request") == "true"
    found = sessions.find(parts().web.database, token, idle_s=settings.console_idle_s, stays=not by_itself)
    if found is not None:
        g.person = found


def _guarded(view: Callable[..., Any]) -> Callable[..., Any]:
    needs: str | None = vars(view).get("_needs")

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        refusal = _refusal(needs)
        return view(*args, **kwargs) if refusal is None else refusal

    return guarded


def _refusal(needs: str | None) -> ResponseReturnValue | None:
    reads = asked().method in _READING
    if needs != _OPEN and "person" not in g:
        return _to_login(reads)
    if not reads and not is_from_our_form():
        raise RequestRefused("insufficient_scope", _NOT_OUR_FORM)
    if needs == _OPEN:
        return None
    role: Any = needs or ("viewer" if reads else "operator")
    if not may(person().role, role):
        raise InsufficientScope(
            f"This takes the role {role}; yours is {person().role}. An admin can change it."
        )
    return None


def _to_login(reads: bool) -> ResponseReturnValue:
    request = asked()
    if request.headers.get("HX-Request") == "true":
        return Response(status=401, headers={"HX-Redirect": LOGIN})
    wanted = page_of_ours(request.full_path.rstrip("?")) if reads else None
    return redirect(f"{LOGIN}?next={quote(wanted, safe='')}" if wanted else LOGIN, 303)


def _problem_page(error: AegisError) -> ResponseReturnValue:
    body = body_of(error)
    page = render_template("console/problem.html", status=body["status"], told=body["detail"])
    return page, body["status"]


def _broken_page(error: Exception) -> ResponseReturnValue:
    """A page that failed. It is shown without the strip and the menu, which may be what is broken."""
    if isinstance(error, HTTPException):
        return error
    report(error)
    told = "The page could not be made. Nothing was changed by looking at it."
    if asked().method not in _READING:
        told = "It broke off. Look whether it was done before you try again: the audit log has what was."
    where = {"person": None, "at": asked().path if asked().method in _READING else HOME}
    page = render_template(
        "console/problem.html", status=500, told=told, request_id=g.get("request_id"), **where
    )
    return page, 500


def _harden(response: Response) -> Response:
    response.headers.update({**_HEADERS, **g.get("console_headers", {})})
    if "new_form_token" in g:
        cookies.give_form(response, g.new_form_token)
    return response
