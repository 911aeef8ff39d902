"""What gateways publish about themselves, outside this repository."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]


def gateway_spec(name: str) -> Any:
    """The JSON file `name`, such as `stripe/fixtures3.json`, of $AEGIS_GATEWAY_SPECS or else ../shared/gateway-specs.

    Skips the test where it isn't.
    """
    folder = Path(os.environ.get("AEGIS_GATEWAY_SPECS") or CHECKOUT.parent / "shared" / "gateway-specs")
    path = folder / name
    if not path.is_file():
        pytest.skip(
            f"{name}: no such file; AEGIS_GATEWAY_SPECS names the folder of the gateways' specifications"
        )
    return json.loads(path.read_text())
