"""Lists of payments that somebody saved under a name, for oneself alone: a viewer may have them too."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_worker.errors import ResolutionRefused
from aegis_worker.persistence import view_rows
from aegis_worker.persistence.view_rows import MOST_OF_A_USER, SavedView

from .acting import go_to
from .login.forms import posted
from .login.guard import ConsoleBlueprint, person, required
from .payment_filters import NAMES, Unreadable, filters_of, list_url

blueprint = ConsoleBlueprint("console_views", __name__)

_LONGEST_NAME, _LONGEST_QUERY = 40, 2000


@blueprint.route("/views", methods=["POST"])
@required("viewer")
def save_or_forget() -> ResponseReturnValue:
    """Save the filters of the list under a name, in place of what had it, or forget the name."""
    form = posted()
    name = " ".join(form.get("name", "").split())
    given = {each: form[each] for each in NAMES if form.get(each)}
    if form.get("do") == "forget":
        parts().web.database.run(lambda tx: view_rows.forget(tx, person().user_id, name))
        return go_to("/console/payments", "forgotten")
    try:
        filters_of(given)
    except Unreadable as error:
        raise ResolutionRefused(str(error)) from error
    _save(SavedView(name, list_url(given).partition("?")[2]))
    return go_to(list_url(given), "saved")


def _save(view: SavedView) -> None:
    """Raises ResolutionRefused."""
    if not 1 <= len(view.name) <= _LONGEST_NAME or not view.name.isprintable():
        raise ResolutionRefused(f"A view's name has 1 to {_LONGEST_NAME} printable characters.")
    if not view.query:
        raise ResolutionRefused("Filter the list first: a view is saved with its filters.")
    if len(view.query) > _LONGEST_QUERY:
        raise ResolutionRefused("These filters are too long to be saved. Look for less text.")
    if not parts().web.database.run(lambda tx: view_rows.save(tx, person().user_id, view)):
        raise ResolutionRefused(f"You have {MOST_OF_A_USER} views. Forget one first.")
