"""API keys: who may call, made and revoked by admins. A new key is shown once, on the answer that made it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import render_template
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_worker.domain.modes import MODES, Mode
from aegis_worker.errors import AegisError, NotFound, ResolutionRefused
from aegis_worker.persistence import api_keys
from aegis_worker.persistence.api_keys import SCOPES

from .acting import done_here, go_to, told_of
from .blueprint import blueprint
from .login.forms import posted
from .login.guard import person, required

_MERCHANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LONGEST_LABEL, _SHOWN = 100, 200


@blueprint.route("/keys")
def list_keys() -> str:
    """The newest keys, revoked ones too."""
    return _page({})


@blueprint.route("/keys", methods=["POST"])
@required("admin")
def make_key() -> ResponseReturnValue:
    """Make a key and show it, this once."""
    form = posted()
    try:
        made = _made(form)
    except AegisError as error:
        told, status = told_of(error)
        return _page(form, refused=told), status
    return _page({}, made=made)


@blueprint.route("/keys/<key_id>/revoke")
@required("admin")
def ask_whether_to_revoke(key_id: str) -> str:
    """What revoking it does, and the form for it."""
    key = next((each for each in api_keys.list_keys(parts().web.database) if each.id == key_id), None)
    if key is None:
        raise NotFound("There is no such key among the newest.")
    return render_template("console/revoke.html", key=key)


@blueprint.route("/keys/<key_id>/revoke", methods=["POST"])
@required("admin")
def revoke_key(key_id: str) -> ResponseReturnValue:
    """Revoke a key."""
    try:
        api_keys.revoke_key(parts().web.database, key_id, actor=person().actor)
    except AegisError as error:
        told, status = told_of(error)
        return _page({}, refused=told), status
    return go_to("/console/keys", "revoked")


def _made(form: Mapping[str, str]) -> dict[str, str]:
    database, actor, label = parts().web.database, person().actor, form.get("label", "").strip()
    if len(label) > _LONGEST_LABEL or (label and not label.isprintable()):
        raise ResolutionRefused(f"A label has at most {_LONGEST_LABEL} printable characters.")
    if form.get("role") == "operator":
        key_id, key = api_keys.create_operator_key(database, label, actor=actor)
        return {"id": key_id, "key": key}
    merchant, mode = form.get("merchant", "").strip(), form.get("mode", "test")
    if not _MERCHANT.fullmatch(merchant):
        raise ResolutionRefused("A merchant is 1 to 64 letters, digits, '_', '.' or '-'.")
    modes: dict[str, Mode] = {each: each for each in MODES}
    if mode not in modes:
        raise ResolutionRefused("A mode is live or test.")
    scopes = [scope for scope in SCOPES if form.get(f"scope:{scope}") == "yes"]
    key_id, key = api_keys.create_key(database, merchant, label, mode=modes[mode], scopes=scopes, actor=actor)
    return {"id": key_id, "key": key}


def _page(form: Mapping[str, str], **more: Any) -> str:
    keys = api_keys.list_keys(parts().web.database)
    shown = {"keys": keys[:_SHOWN], "more": max(0, len(keys) - _SHOWN)}
    return render_template("console/keys.html", **shown, form=form, scopes=SCOPES, done=done_here(), **more)
