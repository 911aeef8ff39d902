"""A worker process that freezes between the commit of an attempt and its call: `python frozen_worker.py URL URL LEASE_S`.

It stops itself where it would tell others about the commit; the test sends CONT. It prints its report as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict

from sqlalchemy import create_engine

from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from support.payments import pipeline
from support.sandbox_process import API_KEY


def freeze_at_events(queue: str) -> None:
    """Freeze at the first hint about what was just committed."""
    if queue == "outbox":
        os.kill(os.getpid(), signal.SIGSTOP)


def main(database_url: str, gateway_url: str, lease_s: str) -> None:
    """Work on the payments that are due, and freeze once."""
    config = GatewayConfig("sandbox_a", "sandbox", gateway_url, API_KEY, connect_timeout_s=0.3, timeout_s=0.3)
    parts = pipeline(
        Database(create_engine(database_url)),
        LoadedGateway(SandboxAdapter(config)),
        lease_s=float(lease_s),
        run_limit_s=1,  # over by the time that it goes on, so that it claims nothing else
        hint=freeze_at_events,
    )
    report = run(parts, "payments")
    parts.tail.finish()
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main(*sys.argv[1:])
