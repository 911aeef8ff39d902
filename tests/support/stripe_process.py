"""The emulator with Stripe's wire format, and the official SDK for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import stripe

from support.payers import request_to
from support.sandbox_process import HttpAnswer, Sandbox, running_sandbox

STRIPE_KEY = "sk_test_emulator"


@contextmanager
def running_stripe(folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Sandbox]:
    """The emulator of Stripe in `folder`, named `stripe`, stopped at the end."""
    given = {"SANDBOX_API_KEY": STRIPE_KEY, **(env or {})}
    with running_sandbox(folder, "--wire", "stripe", *flags, name="stripe", env=given) as running:
        yield running


def sdk(url: str, api_key: str = STRIPE_KEY, **options: Any) -> stripe.StripeClient:
    """The official SDK, which sends each request once."""
    return stripe.StripeClient(api_key, base_addresses={"api": url}, max_network_retries=0, **options)


def post_form(
    emulator: Sandbox, path: str, form: str, *, api_key: str = STRIPE_KEY, **headers: str
) -> HttpAnswer:
    """One POST as plain bytes. `idempotency_key="k"` becomes the header Idempotency-Key."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named |= {"Authorization": f"Bearer {api_key}", "Content-Type": "application/x-www-form-urlencoded"}
    return _call(emulator, "POST", path, form.encode(), named)


def _call(emulator: Sandbox, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
    return request_to(urlsplit(emulator.url).netloc, method, path, body, headers)
