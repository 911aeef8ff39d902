"""The emulator with Braintree's wire format, and the official SDK for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import braintree
from braintree.environment import Environment
from braintree.testing_gateway import TestingGateway

from support.sandbox_process import Sandbox, running_sandbox

BRAINTREE_MERCHANT = "merchant_emulator"
BRAINTREE_PUBLIC, BRAINTREE_PRIVATE = "public_emulator", "private_emulator"
BRAINTREE_KEY = f"{BRAINTREE_PUBLIC}:{BRAINTREE_PRIVATE}"


@contextmanager
def running_braintree(folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Sandbox]:
    """The emulator of Braintree in `folder`, named `braintree`, stopped at the end."""
    given = {"SANDBOX_API_KEY": BRAINTREE_KEY, **(env or {})}
    with running_sandbox(folder, "--wire", "braintree", *flags, name="braintree", env=given) as running:
        yield running


def sdk(url: str, private_key: str = BRAINTREE_PRIVATE, merchant: str = BRAINTREE_MERCHANT) -> Any:
    """The official SDK, which speaks to the emulator at this address."""
    place = urlsplit(url)
    environment = Environment(
        "emulator", str(place.hostname), str(place.port), "http://auth.invalid", False, None
    )
    configuration = braintree.Configuration(
        environment, merchant_id=merchant, public_key=BRAINTREE_PUBLIC, private_key=private_key
    )
    return braintree.BraintreeGateway(configuration)


def simulated(gateway: Any) -> Any:
    """What the SDK has to settle transactions in a sandbox."""
    return TestingGateway(gateway)
