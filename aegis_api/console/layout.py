"""What every page shares: the strip that says whether money is safe, the menu, the theme, and the form of what is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, g, redirect, render_template, request

from aegis_api.http.parts import parts
from aegis_worker.errors import DatabaseUnavailable, NotFound
from aegis_worker.queries.safety import MOST_SUMMED, read_safety
from aegis_worker.views.safety import safety_body

from . import files, shown, signs
from .blueprint import blueprint
from .login.forms import posted
from .login.guard import open_to_all
from .login.places import page_of_ours

# The audit runs each minute. After this long without it the console does not know any more whether money is safe.
_AUDIT_IS_OLD_S = 600
_THEME, _THEMES = "aegis-theme", ("light", "dark")
_A_YEAR_S = 366 * 86_400


def strip_now() -> dict[str, Any]:
    """The strip's words for what holds now: always the worst that is true. Read once a request."""
    if "console_strip" not in g:
        g.console_strip = _read_strip()
    told: dict[str, Any] = g.console_strip
    return told


def _read_strip() -> dict[str, Any]:
    try:
        with parts().web.database.read() as connection:
            safety = safety_body(read_safety(connection))
    except DatabaseUnavailable:
        return {"verdict": "blind", "safety": None, "reason": "database"}
    return {
        "verdict": _verdict(safety),
        "safety": safety,
        "most": MOST_SUMMED,
        "reason": _blind_because(safety),
    }


def _verdict(safety: dict[str, Any]) -> str:
    if safety["wrong"]:
        return "bad"
    if _blind_because(safety):
        return "blind"
    if safety["for_people"]["payments"] or safety["disputes_to_answer"]:
        return "person"
    return "doubt" if safety["in_doubt"]["payments"] else "ok"


def _blind_because(safety: dict[str, Any]) -> str | None:
    if safety["audited_at"] is None:
        return "never"
    age_s = (datetime.now(UTC) - shown.moment(safety["audited_at"])).total_seconds()
    return "old" if age_s > _AUDIT_IS_OLD_S else None


@blueprint.app_context_processor
def _shared() -> dict[str, Any]:
    theme = request.cookies.get(_THEME)
    return {
        **signs.GLOBALS,
        "strip_now": strip_now,
        "file_url": files.url,
        "theme": theme if theme in _THEMES else None,
        "environment": parts().web.settings.environment,
        "now": datetime.now(UTC),
    }


for _name, _filter in shown.FILTERS.items():
    blueprint.add_app_template_filter(_filter, _name)


@blueprint.route("/strip")
def strip() -> str:
    """The strip alone, for whoever asks every few seconds."""
    return render_template("console/strip.html")


@blueprint.route("/theme", methods=["POST"])
@open_to_all
def choose_theme() -> Response:
    """Light, dark, or as the machine has it; kept by the browser, so that it holds before the first paint."""
    form = posted()
    answer = redirect(page_of_ours(form.get("back")), 303)
    theme = form.get("theme", "")
    if theme in _THEMES:
        answer.set_cookie(_THEME, theme, max_age=_A_YEAR_S, path="/console", httponly=True, samesite="Strict")
    else:
        answer.delete_cookie(_THEME, path="/console")
    return answer  # type: ignore[return-value]


@blueprint.route("/<path:anything>")
def nothing_here(anything: str) -> str:
    """Any other path, so that a page that is not there is told of in the console's own form."""
    raise NotFound("There is no such page in this console.")
