"""An emulator that tells a test's server of what happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from support.merchant_server import Sink, a_sink
from support.sandbox_process import Sandbox


class Running(Protocol):
    """Runs one gateway's emulator in a folder."""

    def __call__(
        self, folder: Path, *flags: str, env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Sandbox]: ...


class Telling(NamedTuple):
    """An emulator, and where its webhooks arrive."""

    emulator: Sandbox
    sink: Sink


@contextmanager
def telling(running: Running, folder: Path, gateway: str, secret: str) -> Iterator[Telling]:
    """The emulator of `gateway`, which signs its webhooks with `secret` and posts them to the path /GATEWAY."""
    with a_sink() as sink:
        flags = ("--webhook-url", sink.url(f"/{gateway}"), "--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET")
        with running(folder, *flags, env={"SANDBOX_WEBHOOK_SECRET": secret}) as emulator:
            yield Telling(emulator, sink)
