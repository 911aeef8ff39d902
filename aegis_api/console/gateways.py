"""The gateways: who takes payments and who not, how each is doing, and pausing one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import render_template
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_worker.errors import AegisError, NotFound
from aegis_worker.queries.by_minute import gateways_by_minute
from aegis_worker.routing import changes
from aegis_worker.views.by_minute import gateways_by_minute_body
from aegis_worker.views.gateways import gateway_body

from .acting import done_here, go_to, reason_of, told_of
from .blueprint import blueprint
from .login.forms import posted
from .login.guard import person, required

_MINUTES = 180
# In the order in which a payment comes by them.
_OPERATIONS = (
    "initiate",
    "authenticate",
    "process",
    "confirm",
    "capture",
    "void",
    "refund",
    "close",
    "status",
)


@blueprint.route("/gateways")
def list_gateways() -> str:
    """All of them, side by side, then each."""
    return render_template("console/gateways.html", **_read(), done=done_here())


@blueprint.route("/gateways/live")
def list_gateways_live() -> str:
    """What changes on it."""
    return render_template("console/gateways_live.html", **_read())


@blueprint.route("/gateways/<name>/pause")
@required("operator")
def ask_whether_to_pause(name: str) -> str:
    """What pausing or resuming it does, and the form for it."""
    return _form_page(name, {})


@blueprint.route("/gateways/<name>/pause", methods=["POST"])
@required("operator")
def pause_or_resume(name: str) -> ResponseReturnValue:
    """Pause a gateway, or resume one that is paused."""
    form, web = posted(), parts().web
    try:
        if form.get("do") == "resume":
            changed = changes.resume_gateway(web.database, name, known=web.gateways(), actor=person().actor)
        else:
            reason = reason_of(form, least=3)
            changed = changes.pause_gateway(
                web.database, name, known=web.gateways(), actor=person().actor, reason=reason
            )
    except AegisError as error:
        told, status = told_of(error)
        return _form_page(name, form, refused=told), status
    done = ("resumed" if form.get("do") == "resume" else "paused") if changed else "unchanged"
    return go_to(f"/console/gateways#gw-{name}", done)


def _form_page(name: str, form: Mapping[str, str], **more: Any) -> str:
    read = _read()
    gateway = next((each for each in read["gateways"] if each["name"] == name), None)
    if gateway is None:
        raise NotFound("There is no gateway of this name.")
    return render_template("console/pause.html", gateway=gateway, form=form, **read, **more)


def _read() -> dict[str, Any]:
    web = parts().web
    gateways = [gateway_body(report) for report in web.gateway_reports()]
    with web.database.read() as connection:
        series = gateways_by_minute_body(*gateways_by_minute(connection, minutes=_MINUTES))
    for gateway in gateways:
        if gateway["health"] is not None:
            gateway["health"]["breakers"].sort(key=lambda breaker: _place(breaker["operation"]))
    return {
        "gateways": gateways,
        "called": {each["gateway"]: sum(each["calls"]) for each in series["gateways"]},
        "minutes": _MINUTES,
        "takes": sum(_takes(gateway) for gateway in gateways),
    }


def _takes(gateway: Mapping[str, Any]) -> bool:
    """Whether new payments go there freely, as far as we know."""
    health = gateway["health"]
    is_well = health is not None and health["state"] == "CLOSED"
    return bool(gateway["enabled"] and not gateway["paused"] and is_well)


def _place(operation: str) -> tuple[int, str]:
    return (_OPERATIONS.index(operation) if operation in _OPERATIONS else len(_OPERATIONS), operation)
