"""A merchant at an API of its own under its real server, and on a database of its own, who sends raw bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import psycopg2
from sqlalchemy.engine import make_url

from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence.api_keys import create_key
from aegis_worker.persistence.database import Database
from aegis_worker.settings import load_settings

from .running_api import Answer, RunningApi, running_api


@dataclass(frozen=True)
class Shop:
    """A merchant at the running API."""

    api: RunningApi
    key: str
    database_url: str

    def send(self, raw: bytes, *, end: bool = False) -> Answer:
        """Send what a test wrote, with the merchant's key for <auth>, and a new idempotency key for <key>."""
        return self.api.send(self.filled(raw), method=raw.split(b" ", 1)[0].decode("latin-1"), end=end)

    def filled(self, raw: bytes) -> bytes:
        raw = raw.replace(b"<auth>", f"Authorization: Bearer {self.key}".encode())
        return raw.replace(b"<key>", f"Idempotency-Key: {uuid4().hex}".encode())

    def payments(self) -> int:
        """How many payments there are."""
        with psycopg2.connect(self.database_url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM payments")
            return int(cursor.fetchone()[0])


@contextmanager
def raw_shop(stores: Stores, template: str, folder: Path, **settings: str) -> Iterator[Shop]:
    """The shop, while its API runs under these settings, on a database made from `template`. The log lies in `folder`."""
    url = make_url(stores.postgres.url).set(drivername="postgresql")
    name = f"raw_{uuid4().hex[:12]}"
    admin = psycopg2.connect(url.set(username="postgres").render_as_string(hide_password=False))
    admin.autocommit = True
    admin.cursor().execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER aegis")
    admin.close()
    database_url = url.set(database=name).render_as_string(hide_password=False)
    gateways = {
        f"AEGIS_SANDBOX_{letter}_{what}": value
        for letter in "AB"
        for what, value in {"URL": "http://127.0.0.1:1", "KEY": "k" * 20, "WEBHOOK_SECRET": "w" * 20}.items()
    }
    environ = {"DATABASE_URL": database_url, "REDIS_URL": stores.valkey.url, "AEGIS_SECRET": "s" * 40}
    with patch.dict(os.environ, environ):
        _, key = create_key(Database.connect(load_settings(), application="test"), "mer_raw", "test")
    with running_api(database_url, stores.valkey.url, folder, **gateways, **settings) as api:
        yield Shop(api, key, database_url)
