"""The emulator with Razorpay's wire format, a payer in its Checkout, and the official SDK for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import razorpay

from support.payers import request_to
from support.sandbox_process import HttpAnswer, Sandbox, running_sandbox

RAZORPAY_KEY_ID, RAZORPAY_SECRET = "rzp_test_Emulator000001", "secret_emulator"
RAZORPAY_KEY = f"{RAZORPAY_KEY_ID}:{RAZORPAY_SECRET}"
RAZORPAY_ACCOUNT, RAZORPAY_WEBHOOK = "acc_Emulator000001", "whsec_razorpay"


@contextmanager
def running_razorpay(folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Sandbox]:
    """The emulator of Razorpay in `folder`, named `razorpay`, stopped at the end."""
    given = {"SANDBOX_API_KEY": RAZORPAY_KEY, **(env or {})}
    with running_sandbox(folder, "--wire", "razorpay", *flags, name="razorpay", env=given) as running:
        yield running


def sdk(url: str, key_secret: str = RAZORPAY_SECRET) -> Any:
    """The official SDK, which speaks to the emulator."""
    return razorpay.Client(auth=(RAZORPAY_KEY_ID, key_secret), base_url=url)


class RazorpayClient:
    """Calls in plain HTTP with the right key."""

    def __init__(self, url: str) -> None:
        self._netloc = urlsplit(url).netloc
        credentials = base64.b64encode(RAZORPAY_KEY.encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}

    def get(self, path: str) -> HttpAnswer:
        """One GET."""
        return request_to(self._netloc, "GET", path, b"", self._headers)

    def post(self, path: str, body: Any = None, key: str = "", script: str = "") -> HttpAnswer:
        """One POST; `key`: of a refund."""
        headers = {
            **self._headers,
            **({"X-Refund-Idempotency": key} if key else {}),
            **({"Emulator-Script": script} if script else {}),
        }
        raw = json.dumps({} if body is None else body).encode()
        return request_to(self._netloc, "POST", path, raw, headers)


def payer_pays(url: str, order_id: str, token: str = "", script: str = "", **source: str) -> HttpAnswer:
    """The payer pays an order in Checkout: by a card, unless the source says otherwise."""
    headers = {
        "Content-Type": "application/json",
        **({"Emulator-Script": script} if script else {}),
    }
    body = {**source, **({"token": token} if token else {})}
    return request_to(
        urlsplit(url).netloc, "POST", f"/checkout/{order_id}/pay", json.dumps(body).encode(), headers
    )


def payer_waits(url: str, order_id: str, payment_id: str) -> HttpAnswer:
    """What Checkout says now of a payment that was not decided at first."""
    return request_to(urlsplit(url).netloc, "GET", f"/checkout/{order_id}/payments/{payment_id}", b"", {})
