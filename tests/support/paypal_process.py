"""The emulator with PayPal's wire format, and a plain client for it."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.payers import request_to
from support.sandbox_process import HttpAnswer, Sandbox, running_sandbox

PAYPAL_CLIENT, PAYPAL_SECRET, PAYPAL_ACCOUNT = "client_emulator", "secret_emulator", "MERCHANT2EMUL"
PAYPAL_KEY = f"{PAYPAL_CLIENT}:{PAYPAL_SECRET}"
PAYPAL_WEBHOOK = "1JE4291016473214C"


@contextmanager
def running_paypal(folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Sandbox]:
    """The emulator of PayPal in `folder`, named `paypal`, stopped at the end. Its root lies in `root_of(folder)`."""
    given = {"SANDBOX_API_KEY": PAYPAL_KEY, **(env or {})}
    with running_sandbox(folder, "--wire", "paypal", *flags, name="paypal", env=given) as running:
        yield running


def root_of(folder: Path) -> Path:
    """The certificate that whoever checks the emulator's events has to trust."""
    return folder / "paypal.root.pem"


def granted(url: str, credentials: str = PAYPAL_KEY) -> HttpAnswer:
    """The answer of whom gives out access tokens."""
    headers = {
        "Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return request_to(
        urlsplit(url).netloc, "POST", "/v1/oauth2/token", b"grant_type=client_credentials", headers
    )


class PayPalClient:
    """Calls with an access token of its own; POSTs ask for all of what they make."""

    def __init__(self, url: str) -> None:
        self._netloc = urlsplit(url).netloc
        self.token = str(granted(url).json["access_token"])

    def get(self, path: str) -> HttpAnswer:
        """One GET."""
        return request_to(self._netloc, "GET", path, b"", {"Authorization": f"Bearer {self.token}"})

    def post(
        self,
        path: str,
        body: Any = None,
        key: str | None = None,
        prefer: str = "return=representation",
        script: str = "",
    ) -> HttpAnswer:
        """One POST, under a new id where none is given, which has the emulator follow a script."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "PayPal-Request-Id": key or uuid.uuid4().hex,
            "Prefer": prefer,
            **({"Emulator-Script": script} if script else {}),
        }
        raw = json.dumps({} if body is None else body).encode()
        return request_to(self._netloc, "POST", path, raw, headers)


def link(shown: Mapping[str, Any], rel: str) -> str:
    """The address that an answer names so."""
    (found,) = [str(one["href"]) for one in shown["links"] if one["rel"] == rel]
    return found


def payer_goes(page: str, button: str) -> HttpAnswer:
    """The payer opens the page of an order and clicks `approve` or `cancel`."""
    place = urlsplit(page)
    shown = request_to(place.netloc, "GET", f"{place.path}?{place.query}", b"", {})
    action = f"/checkoutnow/{place.query.removeprefix('token=')}/{button}"
    assert f'action="{action}"' in shown.body.decode()
    return request_to(place.netloc, "POST", action, b"", {})
