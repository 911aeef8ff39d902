"""The emulator with Adyen's wire format, and the official SDK for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import Adyen

from support.payers import payer_clicks
from support.sandbox_process import HttpAnswer, Sandbox, running_sandbox

ADYEN_KEY, ADYEN_ACCOUNT = "AQE_emulator", "ShopECOM"
ADYEN_SECRET = "0a1b2c3d" * 8


@contextmanager
def running_adyen(folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Sandbox]:
    """The emulator of Adyen in `folder`, named `adyen`, stopped at the end."""
    given = {"SANDBOX_API_KEY": ADYEN_KEY, **(env or {})}
    with running_sandbox(folder, "--wire", "adyen", *flags, name="adyen", env=given) as running:
        yield running


def payments_api(url: str) -> Any:
    """Payments of the official SDK, which asks for the version that the adapter speaks."""
    client = Adyen.Adyen(xapikey=ADYEN_KEY, platform="test", api_checkout_version="v71")
    api = client.checkout.payments_api
    api.baseUrl = f"{url}/v71"
    return api


def modifications_api(url: str) -> Any:
    """Captures, cancels and refunds of the official SDK."""
    client = Adyen.Adyen(xapikey=ADYEN_KEY, platform="test", api_checkout_version="v71")
    api = client.checkout.modifications_api
    api.baseUrl = f"{url}/v71"
    return api


def payer_brings_back(page: str, button: str) -> dict[str, str]:
    """The payer clicks a button on the redirect's page, and brings back what the shop's address is given."""
    clicked = payer_clicks(page, button)
    assert clicked.status == 302, clicked
    back = parse_qs(urlsplit(clicked.headers["location"]).query)
    return {"redirectResult": back["redirectResult"][0]}


def library_finds(emulator: Sandbox, token: str) -> dict[str, Any]:
    """What Adyen's library in the shop's page hands on, by how the payer did."""
    shown: dict[str, Any] = emulator.call("GET", f"/challenge?token={token}").json
    return shown


def post_json(emulator: Sandbox, path: str, body: object, **headers: str) -> HttpAnswer:
    """One POST with the right key, unless another is given as `x_api_key`."""
    named: dict[str, Any] = {"x_api_key": ADYEN_KEY, **headers}
    return emulator.post(f"/v71{path}", body, **named)
