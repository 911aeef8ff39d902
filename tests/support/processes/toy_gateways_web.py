"""The API whose one gateway, sandbox_a, is scripted and sends challenges: `aegis_api.server` takes the factory's name."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from aegis_api.app import create_app
from aegis_worker.wiring.web import build_web
from support.scripted_gateway import ScriptedGateway


def application() -> Flask:
    """The application, on stores from the environment."""
    toy = ScriptedGateway("sandbox_a", account="acct_1")
    return create_app(replace(build_web(), gateways=lambda: {"sandbox_a": toy}))
