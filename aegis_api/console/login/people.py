"""Who may use the console: for admins."""

from __future__ import annotations

from typing import cast

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_worker.domain.people import ROLE_RULES, Role
from aegis_worker.people import sessions, users
from aegis_worker.people.users import Welcomed

from .forms import posted
from .guard import ConsoleBlueprint, person, required

blueprint = ConsoleBlueprint("console_people", __name__)

_HERE = "/console/people"


@blueprint.route("/people")
@required("admin")
def people_page() -> ResponseReturnValue:
    """Everybody who has or had an account, and every open session."""
    return _page()


@blueprint.route("/people", methods=["POST"])
@required("admin")
def add_person() -> ResponseReturnValue:
    """Add somebody; the welcome code is shown this once."""
    form, web = posted(), parts().web
    name, role = form.get("name", "").strip().lower(), cast("Role", form.get("role", ""))
    added = users.add_user(
        web.database, web.ring, name, role, actor=person().actor, reason=form.get("reason", "")
    )
    return _page(added)


@blueprint.route("/people/<name>/role", methods=["POST"])
@required("admin")
def give_role(name: str) -> ResponseReturnValue:
    """Give somebody another role."""
    form = posted()
    role = cast("Role", form.get("role", ""))
    users.set_role(parts().web.database, name, role, actor=person().actor, reason=form.get("reason", ""))
    return redirect(_HERE, 303)


@blueprint.route("/people/<name>/disable", methods=["POST"])
@required("admin")
def disable_person(name: str) -> ResponseReturnValue:
    """Keep somebody out, and end their sessions."""
    users.disable_user(parts().web.database, name, actor=person().actor, reason=posted().get("reason", ""))
    return redirect(_HERE, 303)


@blueprint.route("/people/<name>/reset", methods=["POST"])
@required("admin")
def reset_person(name: str) -> ResponseReturnValue:
    """Have somebody choose password and authenticator anew; the welcome code is shown this once."""
    web, reason = parts().web, posted().get("reason", "")
    return _page(users.reset_user(web.database, web.ring, name, actor=person().actor, reason=reason))


@blueprint.route("/people/sessions/<session_id>/end", methods=["POST"])
@required("admin")
def end_any_session(session_id: str) -> ResponseReturnValue:
    """End anybody's session."""
    reason = posted().get("reason", "")
    sessions.end_session(parts().web.database, session_id, actor=person().actor, reason=reason)
    return redirect(_HERE, 303)


def _page(welcomed: Welcomed | None = None) -> str:
    web = parts().web
    return render_template(
        "console/login/people.html",
        users=users.list_users(web.database),
        sessions=sessions.list_sessions(web.database, web.settings.console_idle_s),
        roles=ROLE_RULES,
        welcomed=welcomed,
    )
