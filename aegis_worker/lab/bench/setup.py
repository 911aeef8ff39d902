"""What an installation under measurement is to be like."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aegis_worker.settings import default_config_dir

from .seed import ORDER

GatewayKind = Literal["null", "sandbox", "null beside slow"]

# What the fast one of two gateways takes, and what only the slow one does.
FAST_CURRENCY, SLOW_CURRENCY = ORDER["currency"], "EUR"

_GATEWAYS: Mapping[GatewayKind, str] = {
    "null": """\
[gateways.null]
adapter = "null"
timeout_s = 60
[gateways.null.options]
latency_ms = {latency_ms}
""",
    "null beside slow": f"""\
[gateways.null]
adapter = "null"
currencies = ["{FAST_CURRENCY}"]
[gateways.slow]
adapter = "null"
currencies = ["{SLOW_CURRENCY}"]
timeout_s = 60
[gateways.slow.options]
latency_ms = {{latency_ms}}
""",
    "sandbox": """\
[gateways.sandbox]
adapter = "sandbox"
base_url_env = "BENCH_SANDBOX_URL"
api_key_env = "BENCH_SANDBOX_KEY"
webhook_secret_env = "BENCH_SANDBOX_WEBHOOK_SECRET"
[gateways.sandbox.options]
steps = ["process"]
key_lifetime_s = 86400
absence_window_s = 120
""",
}


@dataclass(frozen=True, slots=True)
class Setup:
    """What an installation is to be like. `workers`: processes of the Celery worker; 0: neither worker nor beat runs.

    `gateway_ms`: how long the gateway takes for each call, the slow one where there are two.
    """

    workers: int
    gateway: GatewayKind = "null"
    gateway_ms: int = 0

    def config_dir_in(self, folder: Path) -> Path:
        """A copy of the configuration under `folder`, with no gateway but this one."""
        config_dir = folder / "config"
        shutil.copytree(
            os.environ.get("AEGIS_CONFIG_DIR") or default_config_dir(),
            config_dir,
            ignore=shutil.ignore_patterns(
                "routing.toml"
            ),  # its rules may name the gateways that are left out here
        )
        text = _GATEWAYS[self.gateway].format(latency_ms=self.gateway_ms)
        (config_dir / "gateways.toml").write_text(text)
        return config_dir

    def order(self) -> Mapping[str, Any]:
        """What is posted: the sandbox takes its latency from the card's token."""
        if self.gateway != "sandbox" or not self.gateway_ms:
            return ORDER
        return {**ORDER, "payment_method": {"type": "card", "token": f"tok_latency_{self.gateway_ms}"}}
