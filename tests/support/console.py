"""People at the console: users who are ready to log in, and browsers that keep cookies and fill in forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any, Protocol

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from aegis_worker.domain.people import Role
from aegis_worker.ids import SESSION, new_id
from aegis_worker.people import codes, totp
from aegis_worker.people.users import PLACE, add_user
from aegis_worker.persistence import session_rows, user_rows
from aegis_worker.persistence.database import Database
from aegis_worker.sealing.ring import KeyRing

SESSION_COOKIE = "aegis-session"
PASSWORD = "five horses under the bridge"
# The hash of it with the cheapest parameters there are: a login replaces it, and most tests have no need of one.
_CHEAP = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$nuNoo7aw7q1quMQfax51Xv8vuMQgOyMtyCZg3OMKMOo"
_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class Place(Protocol):
    """Where people have accounts: tests' own API, or an installation."""

    @property
    def database(self) -> Database: ...

    @property
    def ring(self) -> KeyRing: ...


class Served(Place, Protocol):
    """One with an application in the tests' own process."""

    @property
    def app(self) -> Flask: ...


@dataclass(frozen=True)
class Ada:
    """A user who can log in, and the secret of the authenticator."""

    name: str
    secret: str

    def code(self, database: Database, *, later: int = 0) -> str:
        """The authenticator's code, by PostgreSQL's clock, of now or so many periods later."""
        with database.read() as connection:
            now_s = user_rows.now_s(connection)
        return totp.code_at(self.secret, now_s + later * totp.PERIOD_S)


class Browser:
    """One browser at the console."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def token_of(self, path: str) -> str:
        """The token of a form on this page."""
        page = self.get(path)
        found = _TOKEN.search(page.text)
        assert found, page.text
        return unescape(found[1])

    def post(self, path: str, page: str, **fields: str) -> TestResponse:
        """Send a form as it stands on `page`."""
        return self.client.post(path, data={"csrf": self.token_of(page), **fields})

    def log_in(self, name: str, password: str, code: str, **more: str) -> TestResponse:
        return self.post("/console/login", "/console/login", name=name, password=password, code=code, **more)


def a_user(api: Place, role: Role = "operator", name: str = "ada") -> Ada:
    """A user with this role, who can log in with PASSWORD."""
    add_user(api.database, api.ring, name, role, actor="test", reason="for a test")

    def work(connection: Connection) -> Ada:
        user = user_rows.by_name(connection, name)
        assert user is not None
        gone = {"code_hash": None, "code_until": None}
        user_rows.change(connection, user.id, status="active", password_hash=_CHEAP, **gone)
        return Ada(name, api.ring.unseal(user.sealed, PLACE, user.id).decode())

    return api.database.run(work)


def token_of_a_session(api: Place, role: Role = "operator", name: str = "ada") -> str:
    """The cookie of a new user with this role, who is logged in: with a session that no login took the time for."""
    a_user(api, role, name)
    token = codes.new_token()

    def work(connection: Connection) -> None:
        user = user_rows.by_name(connection, name)
        assert user is not None
        row = {"id": new_id(SESSION), "user_id": user.id, "token_hash": codes.token_hash(token)}
        session_rows.begin(connection, {**row, "address": "127.0.0.1", "agent": "a test"}, lasts_s=3600.0)

    api.database.run(work)
    return token


def signed_in(api: Served, role: Role = "operator", name: str = "ada") -> Browser:
    """The browser of a new user with this role, who is logged in."""
    browser = Browser(api.app.test_client())
    browser.client.set_cookie(SESSION_COOKIE, token_of_a_session(api, role, name))
    return browser


def recovery_code_of(api: Place, name: str) -> str:
    """Give a user one recovery code."""
    (code, *_) = codes.new_recovery_codes()

    def work(connection: Connection) -> None:
        user = user_rows.by_name(connection, name)
        assert user is not None
        user_rows.put_recovery_codes(connection, user.id, [codes.code_hash(code)])

    api.database.run(work)
    return code
