"""One's own account at the console: sessions, recovery codes and the password."""

from __future__ import annotations

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import asked, parts
from aegis_worker.errors import CredentialRefused
from aegis_worker.people import recovery, sessions
from aegis_worker.people.own_password import Exchange, change_password

from .forms import posted
from .guard import ConsoleBlueprint, address, person, required

blueprint = ConsoleBlueprint("console_account", __name__)

_HERE = "/console/account"


@blueprint.route("/account")
@required("viewer")
def account_page() -> ResponseReturnValue:
    """Who is logged in, in which sessions, with how many recovery codes left."""
    return _page()


@blueprint.route("/account/sessions/<session_id>/end", methods=["POST"])
@required("viewer")
def end_own_session(session_id: str) -> ResponseReturnValue:
    """End one of one's own sessions."""
    name, actor = person().name, person().actor
    sessions.end_session(parts().web.database, session_id, actor=actor, reason="by its own user", of=name)
    return redirect(_HERE, 303)


@blueprint.route("/account/sessions/end-others", methods=["POST"])
@required("viewer")
def end_other_sessions() -> ResponseReturnValue:
    """End all of one's own sessions but the one that asks."""
    sessions.end_sessions_of(
        parts().web.database,
        person().name,
        actor=person().actor,
        reason="all others, by their own user",
        besides=person().session_id,
    )
    return redirect(_HERE, 303)


@blueprint.route("/account/recovery-codes", methods=["POST"])
@required("viewer")
def make_recovery_codes() -> ResponseReturnValue:
    """New recovery codes in place of any before, for one more code of the authenticator."""
    web = parts().web
    try:
        codes = recovery.new_codes(
            web.database,
            web.ring,
            web.settings.secret,
            person(),
            posted().get("code", "").strip(),
            address=address(),
        )
    except CredentialRefused as error:
        return _page(wrong=str(error)), 403
    return render_template("console/login/recovery_codes.html", name=person().name, recovery=codes, new=False)


@blueprint.route("/account/password", methods=["POST"])
@required("viewer")
def change_own_password() -> ResponseReturnValue:
    """Another password, for the one that holds and a code of the authenticator; ends one's other sessions."""
    form, web = posted(), parts().web
    shown = Exchange(form.get("password", ""), form.get("new_password", ""), form.get("code", "").strip())
    if shown.new != form.get("new_password_again", ""):
        return _page(wrong="The two new passwords are not the same."), 422
    try:
        change_password(web.database, web.ring, web.settings.secret, person(), shown, address=address())
    except CredentialRefused as error:
        return _page(wrong=f"Not changed: {error}."), 403
    return redirect(f"{_HERE}?done=password", 303)


def _page(wrong: str | None = None) -> str:
    web, who = parts().web, person()
    return render_template(
        "console/login/account.html",
        sessions=sessions.list_sessions(web.database, web.settings.console_idle_s, who.name),
        codes_left=recovery.codes_left(web.database, who),
        wrong=wrong,
        is_changed=asked().args.get("done") == "password",
    )
