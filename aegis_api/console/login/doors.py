"""Logging in and out, and taking up a welcome code."""

from __future__ import annotations

import segno
from flask import Response, make_response, redirect, render_template
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import asked, parts
from aegis_worker.errors import CredentialRefused
from aegis_worker.people import welcome
from aegis_worker.people.login import LoginParts, Shown, log_in, log_out

from . import cookies
from .forms import posted
from .guard import ConsoleBlueprint, address, open_to_all, person, required
from .places import LOGIN, page_of_ours

blueprint = ConsoleBlueprint("console_login", __name__)

_REFUSED = (
    "Name, password and code don't go together, or were tried too often. A code of the authenticator is good once: wait "
    "for its next one."
)


@blueprint.route("/login")
@open_to_all
def login_page() -> ResponseReturnValue:
    """The form to log in with."""
    return _login_page(page_of_ours(asked().args.get("next")))


@blueprint.route("/login", methods=["POST"])
@open_to_all
def log_in_at_console() -> ResponseReturnValue:
    """Log in with name, password and the authenticator's code, or a recovery code in its place."""
    form, web = posted(), parts().web
    name, then = form.get("name", "").strip().lower(), page_of_ours(form.get("next"))
    shown = Shown(
        name=name,
        password=form.get("password", ""),
        code=form.get("code", "").strip(),
        address=address(),
        agent=asked().headers.get("User-Agent", ""),
    )
    door = LoginParts(web.database, web.ring, web.settings.secret, web.settings.console_session_s)
    token = log_in(door, shown, instead_of=cookies.session_token())
    if token is None:
        return _login_page(then, name=name, wrong=_REFUSED), 403
    answer = make_response(redirect(then, 303))
    cookies.give_session(answer, token)
    return answer


@blueprint.route("/logout", methods=["POST"])
@required("viewer")
def log_out_at_console() -> ResponseReturnValue:
    """End the session that asks."""
    log_out(parts().web.database, person().session_id, actor=person().actor)
    answer = make_response(redirect(LOGIN, 303))
    cookies.take_session(answer)
    return answer


@blueprint.route("/welcome")
@open_to_all
def welcome_page() -> ResponseReturnValue:
    """The form that takes a welcome code. A code never stands in an address, which histories and logs keep."""
    return render_template("console/login/welcome.html", wrong=None)


@blueprint.route("/welcome", methods=["POST"])
@open_to_all
def look_at_welcome() -> ResponseReturnValue:
    """Show what belongs to a welcome code: whose it is, and the secret for the authenticator."""
    return _credentials_page(posted().get("welcome_code", ""))


@blueprint.route("/welcome/credentials", methods=["POST"])
@open_to_all
def take_up_welcome() -> ResponseReturnValue:
    """Choose a password and prove the authenticator; the recovery codes are shown this once."""
    form, web = posted(), parts().web
    code, password = form.get("welcome_code", ""), form.get("password", "")
    if password != form.get("password_again", ""):
        return _credentials_page(code, wrong="The two passwords are not the same.")
    try:
        name, recovery = welcome.take_up(
            web.database,
            web.ring,
            web.settings.secret,
            code,
            password=password,
            authenticator_code=form.get("code", ""),
            address=address(),
        )
    except CredentialRefused as error:
        return _credentials_page(code, wrong=str(error))
    return render_template("console/login/recovery_codes.html", name=name, recovery=recovery, new=True)


def _login_page(then: str, *, name: str = "", wrong: str | None = None) -> Response:
    page = render_template("console/login/login.html", next=then, name=name, wrong=wrong)
    return make_response(page)


def _credentials_page(code: str, *, wrong: str | None = None) -> ResponseReturnValue:
    web = parts().web
    try:
        offered = welcome.look(web.database, web.ring, web.settings.secret, code, address=address())
    except CredentialRefused as error:
        return render_template("console/login/welcome.html", wrong=str(error)), 403
    picture = segno.make(offered.uri, error="m").svg_data_uri(scale=4, border=2, dark="#000", light="#fff")
    page = render_template(
        "console/login/credentials.html", code=code, offered=offered, picture=picture, wrong=wrong
    )
    return page, 200 if wrong is None else 422
