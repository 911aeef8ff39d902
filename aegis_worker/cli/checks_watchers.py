"""`aegis doctor`'s checks of whoever is told how the installation does. One that is away costs no payment anything, so
nobody misses it until it is needed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

from aegis_worker.observability.posting import Poster
from aegis_worker.observation_settings import ObservationSettings

from .checks import Check, ok, warn

_WITHIN_S = 3.0
_COLLECTOR = (
    "start the collector, or correct AEGIS_OTLP_ENDPOINT and AEGIS_OTLP_HEADERS; what it misses is lost"
)
_AGENT = "correct AEGIS_STATSD_ADDRESS; until then metrics go nowhere by StatsD"


def watchers(observation: ObservationSettings) -> Iterator[Check]:
    """Whether a collector takes a post without anything in it, and whether the agent of StatsD has an address."""
    if "otlp" in observation.sinks:
        yield _collector("metrics by OTLP", observation, "/v1/metrics")
    if observation.traces == "otlp":
        yield _collector("traces", observation, "/v1/traces")
    if {"statsd", "dogstatsd"} & set(observation.sinks):
        yield _agent(*observation.statsd)


def _collector(name: str, observation: ObservationSettings, path: str) -> Check:
    poster = Poster(observation.otlp_endpoint.rstrip("/") + path, observation.otlp_headers)
    refused = poster.post(b"", _WITHIN_S)
    if refused is not None:
        return warn(name, f"the collector takes nothing: {refused.reason}", _COLLECTOR)
    return ok(name, "the collector takes them")


def _agent(host: str, port: int) -> Check:
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        return warn("metrics by StatsD", f"{host} can't be found: {error.strerror}", _AGENT)
    return ok("metrics by StatsD", f"sent to {host}:{port}, which never answers")
