"""/openapi.json, and /docs: Swagger UI, served from an installed package so that browsers fetch nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

from flask import Blueprint, Flask, Response, send_from_directory

_OWN = Path(__file__).with_name("static")
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Swagger UI writes style attributes
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def register(app: Flask, document: Callable[[], bytes]) -> None:
    """Serve the document, and the page that shows it."""
    swagger_ui = Path(str(resources.files("flask_swagger_ui"))) / "dist"
    places = {
        "docs.js": _OWN,
        "swagger-ui-bundle.js": swagger_ui,
        "swagger-ui.css": swagger_ui,
    }
    blueprint = Blueprint("docs", __name__)

    @blueprint.get("/openapi.json")
    def openapi_json() -> Response:
        return Response(document(), content_type="application/json")

    @blueprint.get("/docs")
    def docs_page() -> Response:
        page = send_from_directory(_OWN, "docs.html")
        page.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
        return page

    for name, folder in places.items():
        blueprint.add_url_rule(
            f"/docs/{name}",
            endpoint=name.replace(".", "_"),
            view_func=lambda folder=folder, name=name: send_from_directory(folder, name, max_age=3600),
        )
    app.register_blueprint(blueprint)
