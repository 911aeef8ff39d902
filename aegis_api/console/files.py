"""The console's own files: styles, scripts, pictures. Served by this process, so that a browser asks no other origin.

Their URL names the content of all of them, so browsers may keep them for good and still never show old ones.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from aegis_worker.errors import NotFound

_FOLDER = Path(__file__).with_name("static")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

blueprint = Blueprint("console_files", __name__, url_prefix="/console/files")


@cache
def _names() -> frozenset[str]:
    return frozenset(
        path.relative_to(_FOLDER).as_posix() for path in _FOLDER.rglob("*") if path.suffix in _TYPES
    )


@cache
def _content() -> str:
    told = hashlib.sha256()
    for name in sorted(_names()):
        told.update(name.encode() + (_FOLDER / name).read_bytes())
    return told.hexdigest()[:16]


def url(name: str) -> str:
    """Where a file is."""
    return f"/console/files/{_content()}/{name}"


@blueprint.route("/<content>/<path:name>")
def one_file(content: str, name: str) -> Response:
    """One of them, whatever content was asked for: a page of before an upgrade gets what there is now."""
    if name not in _names():
        raise NotFound("There is no such file.")
    mimetype = _TYPES[Path(name).suffix]
    answer = send_from_directory(_FOLDER, name, mimetype=mimetype)
    is_ours = content == _content()
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_ours else "no-store"
    return answer
