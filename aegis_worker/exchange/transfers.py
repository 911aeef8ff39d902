"""What the engine is asked to do, and what it answers: plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from aegis_worker.domain.outcomes import NotSent, Unknown
from aegis_worker.gateways.kit.flows import HttpAnswer

MAX_ANSWER_BYTES = 1 << 20

# How sure a transfer is (design D4): an answer, nothing sent, or unknown.
Result: TypeAlias = HttpAnswer | NotSent | Unknown


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """Whom transfers go to, and how: one gateway, one API, or all endpoints of webhooks. Make it once and keep it.

    At most `most` transfers to it are under way at once. A transfer takes at most `connect_timeout_s` + `timeout_s`,
    however slowly bytes come. The first bounds the wait for a place and then, together, resolving, connecting to one
    address after the other, a proxy's part, and the TLS handshake. The second bounds sending and the whole answer.

    `max_answer_bytes`: a longer answer makes the transfer Unknown or, with `cuts_answers`, is cut there.
    `refuses_address`: why a transfer may not go to this numeric address, or None if it may. The engine asks before each
    connect, and again before each request; it is called on the engine's thread. `ca_bundle`: certificates to trust, in
    one PEM file; by default those of certifi. `certificate` and `certificate_key`: what we show a server that asks who
    we are, PEM files. `proxy`: a URL such as `http://proxy:3128`; no proxy is taken from the environment.
    """

    connect_timeout_s: float
    timeout_s: float
    most: int
    max_answer_bytes: int = MAX_ANSWER_BYTES
    cuts_answers: bool = False
    refuses_address: Callable[[str], str | None] | None = None
    ca_bundle: Path | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None
    proxy: str = ""
    known_addresses: tuple[str, ...] = ()


class Transfer(Struct, frozen=True):
    """One request to a `peer`.

    `headers` are sent as they are, and what the connection needs (Host, Content-Length …) is added. `may_repeat`: the
    request changes nothing, or its receiver takes a second copy for what it is. Only then may it leave twice, which it
    does where a kept connection turns out to be dead. `may_leave` is asked on the engine's thread just before the first
    byte leaves; if it says no, the result is `NotSent`. `deadline` (monotonic) ends the transfer if it comes before the
    peer's own bounds. `known_addresses`: as libcurl's CURLOPT_RESOLVE takes them, `host:port:address,address`; the host is
    not resolved then.
    """

    peer: Peer
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    may_repeat: bool = False
    may_leave: Callable[[], bool] | None = None
    deadline: float | None = None
    known_addresses: tuple[str, ...] = ()


Done: TypeAlias = Callable[[Result], None]
