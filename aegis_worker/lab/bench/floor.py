"""The floor: a bare Flask route with one INSERT and a commit, as anybody writes it, under the API's server.

What Flask, the server and PostgreSQL cost before anything of ours; `aegis bench` measures the API against it.
"""

from __future__ import annotations

import json
import os
from threading import local

import psycopg2
from flask import Flask, Response, jsonify, request

PATH = "/floor"

TABLE = """
CREATE TABLE IF NOT EXISTS bench_floor (
    id TEXT PRIMARY KEY,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    body JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
)
"""

_INSERT = "INSERT INTO bench_floor (id, amount_minor, currency, body) VALUES (%s, %s, %s, %s)"


def create_app() -> Flask:
    """The application; one connection to DATABASE_URL (a libpq URL) for each thread of each process."""
    app = Flask(__name__, static_folder=None)
    of_thread = local()

    @app.post(PATH)
    def insert() -> tuple[Response, int]:
        if not hasattr(of_thread, "connection"):
            of_thread.connection = psycopg2.connect(os.environ["DATABASE_URL"])
        body, key = request.get_json(), request.headers["Idempotency-Key"]
        connection: psycopg2.extensions.connection = of_thread.connection
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, (key, body["amount"], body["currency"], json.dumps(body)))
        connection.commit()
        return jsonify(id=key, status="accepted"), 202

    @app.get("/healthz")
    def healthy() -> Response:
        return jsonify(status="ok")

    return app
