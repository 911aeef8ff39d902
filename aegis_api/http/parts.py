"""The objects that the routes work with, wired once per application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import Flask, Request, current_app, request

if TYPE_CHECKING:
    from aegis_worker.intake import Intake
    from aegis_worker.intake.validation import Validation
    from aegis_worker.wiring.web import Web

    from .auth import KnownKeys
    from .places import Places


@dataclass(frozen=True, slots=True)
class Parts:
    """The web process's own parts, its intake, the hooks that may refuse payments, and its cache of API keys.

    `waiters`: places for requests that wait; `keyless`: for those with a body whose caller shows no key.
    """

    web: Web
    intake: Intake
    validation: Validation
    known_keys: KnownKeys
    waiters: Places
    keyless: Places


def install(app: Flask, installed: Parts) -> None:
    """Store the parts in the application."""
    app.extensions["aegis"] = installed


def parts() -> Parts:
    """The parts of the application that answers the current request."""
    return cast("Parts", current_app.extensions["aegis"])


def asked() -> Request:
    """The current request itself. Flask's `request` looks it up anew for each attribute, which adds up on a hot path."""
    return cast("Request", request._get_current_object())  # type: ignore[attr-defined]
