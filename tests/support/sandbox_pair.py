"""Two sandbox gateways as processes, their adapters, and what their ledgers say of a payment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from support.sandbox_process import API_KEY, Sandbox, running_sandbox


@dataclass(frozen=True)
class SandboxPair:
    """`sandbox_a`, to which tests do harm, and `sandbox_b`, to which a payment may go instead."""

    a: Sandbox
    b: Sandbox

    def adapters(self, **options: Any) -> list[LoadedGateway]:
        """The adapters of both, in this order, with these options."""
        return [adapter(sandbox, **options) for sandbox in (self.a, self.b)]

    def charged(self, payment_id: str) -> list[tuple[str, int]]:
        """(gateway, minor units kept) for every charge of the payment in either ledger."""
        return [
            (sandbox.name, row["captured"] - row["refunded"])
            for sandbox in (self.a, self.b)
            for row in sandbox.ledger()
            if row["merchant_payment_id"] == payment_id and row["captured"] > row["refunded"]
        ]

    def heal(self) -> None:
        """End the faults of both gateways."""
        for sandbox in (self.a, self.b):
            sandbox.set_faults()


def adapter(sandbox: Sandbox, *, base_url: str | None = None, **options: Any) -> LoadedGateway:
    """The adapter of a sandbox; with `base_url`, it calls that address instead."""
    return LoadedGateway(
        SandboxAdapter(
            GatewayConfig(
                name=sandbox.name,
                adapter="sandbox",
                base_url=base_url or sandbox.url,
                api_key=API_KEY,
                connect_timeout_s=5.0,
                timeout_s=20.0,  # no test waits for it, and a busy machine may take seconds to answer
                options=options,
            )
        )
    )


@contextmanager
def running_pair(folder: Path, *flags: str) -> Iterator[SandboxPair]:
    """Both, started with the same flags and stopped at the end."""
    with ExitStack() as stack:
        yield SandboxPair(
            *(
                stack.enter_context(running_sandbox(folder, *flags, name=name))
                for name in ("sandbox_a", "sandbox_b")
            )
        )
