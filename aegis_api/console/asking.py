"""Asking about many payments in doubt at once, from their list."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_api.http.requests import known_form
from aegis_worker.errors import ResolutionRefused
from aegis_worker.ids import PAYMENT
from aegis_worker.review.questions import ask_about_doubts

from .acting import go_to
from .blueprint import blueprint
from .login.forms import posted
from .login.guard import person, required

FIELD = "ask."
"""What the name of a payment's box begins with; its id follows, for a field of a form stands there once."""


@blueprint.route("/doubts/ask", methods=["POST"])
@required("operator")
def ask_about_many() -> ResponseReturnValue:
    """Have workers ask about those that are ticked, or about all that are in doubt."""
    form, web = posted(), parts().web
    ids = [known_form(name.removeprefix(FIELD), PAYMENT) for name in form if name.startswith(FIELD)]
    of_all = form.get("do") == "all"
    if not of_all and not ids:
        raise ResolutionRefused("Tick the payments to ask about first.")
    asked = ask_about_doubts(web.database, web.hints.notify, None if of_all else ids, actor=person().actor)
    return go_to("/console/payments?certainty=unknown", "asked_about" if asked else "asked_already")
