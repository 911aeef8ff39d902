"""How an installation is observed: its logs, which lines of its everyday work are written, and where metrics go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from aegis_worker.errors import ConfigurationError

LogFormat = Literal["auto", "json", "pretty"]
LineKind = Literal["transition", "attempt", "retry", "breaker", "replay", "webhook", "request"]
LINE_KINDS: tuple[LineKind, ...] = get_args(LineKind)

LOG_FORMAT, LOG_SHARES, LOG_LINES_PER_S = "AEGIS_LOG_FORMAT", "AEGIS_LOG_SHARES", "AEGIS_LOG_LINES_PER_S"
SINKS, EVERY_S, STATSD = "AEGIS_METRICS_SINKS", "AEGIS_METRICS_EVERY_S", "AEGIS_STATSD_ADDRESS"
OTLP_ENDPOINT, OTLP_HEADERS = "AEGIS_OTLP_ENDPOINT", "AEGIS_OTLP_HEADERS"
TRACES, TRACE_SHARE = "AEGIS_TRACES", "AEGIS_TRACE_SHARE"
VARIABLES = frozenset(
    {
        LOG_FORMAT,
        LOG_SHARES,
        LOG_LINES_PER_S,
        SINKS,
        EVERY_S,
        STATSD,
        OTLP_ENDPOINT,
        OTLP_HEADERS,
        TRACES,
        TRACE_SHARE,
    }
)
SinkName = Literal["prometheus", "statsd", "dogstatsd", "otlp"]

# A request that goes well tells nothing that the payment's own lines don't.
DEFAULT_SHARES: Mapping[LineKind, float] = MappingProxyType(
    {kind: 0.0 if kind == "request" else 1.0 for kind in LINE_KINDS}
)
_LINES_PER_S, _MOST_LINES_PER_S = 20, 100_000
_EVERY_S, _LEAST_EVERY_S, _MOST_EVERY_S = 5.0, 0.1, 300.0
_TRACE_SHARE = 0.1
_STATSD, _ENDPOINT = ("127.0.0.1", 8125), "http://127.0.0.1:4318"


@dataclass(frozen=True, slots=True)
class ObservationSettings:
    """`log_shares`: of which payments (0 to 1) lines of each kind are written at INFO. `log_lines_per_s`: how many of them
    a process writes a second at most; 0: none.

    `sinks`: where metrics go, every `every_s` seconds. `statsd`: host and port. `otlp_endpoint` without the path of a
    signal; what authenticates stands in `otlp_headers`. `trace_share`: of which requests and tasks (0 to 1) there are
    traces.
    """

    log_format: LogFormat = "auto"
    log_shares: Mapping[LineKind, float] = field(default_factory=lambda: DEFAULT_SHARES)
    log_lines_per_s: int = _LINES_PER_S
    sinks: tuple[SinkName, ...] = ("prometheus",)
    every_s: float = _EVERY_S
    statsd: tuple[str, int] = _STATSD
    otlp_endpoint: str = _ENDPOINT
    otlp_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    traces: Literal["off", "otlp"] = "off"
    trace_share: float = _TRACE_SHARE


def load_observation_settings(environ: Mapping[str, str]) -> ObservationSettings:
    """The settings in the environment. Raises ConfigurationError naming the variable that is wrong."""
    return ObservationSettings(
        log_format=_log_format(environ.get(LOG_FORMAT) or "auto"),
        log_shares=_log_shares(environ.get(LOG_SHARES, "")),
        log_lines_per_s=_lines_per_s(environ.get(LOG_LINES_PER_S) or str(_LINES_PER_S)),
        sinks=_sinks(environ.get(SINKS, "prometheus")),
        every_s=_every_s(environ.get(EVERY_S) or str(_EVERY_S)),
        statsd=_statsd(environ.get(STATSD) or ":".join(map(str, _STATSD))),
        otlp_endpoint=_endpoint(environ.get(OTLP_ENDPOINT) or _ENDPOINT),
        otlp_headers=_headers(environ.get(OTLP_HEADERS, "")),
        traces=_traces(environ.get(TRACES) or "off"),
        trace_share=_trace_share(environ.get(TRACE_SHARE) or str(_TRACE_SHARE)),
    )


def _log_format(text: str) -> LogFormat:
    if text not in get_args(LogFormat):
        raise ConfigurationError(f"{LOG_FORMAT} must be {', '.join(get_args(LogFormat))}")
    return cast("LogFormat", text)


def _log_shares(text: str) -> Mapping[LineKind, float]:
    shares = dict(DEFAULT_SHARES)
    for part in filter(None, map(str.strip, text.split(","))):
        kind, equals, share = (piece.strip() for piece in part.partition("="))
        if kind not in LINE_KINDS or not equals or not _is_share(share):
            raise ConfigurationError(
                f"{LOG_SHARES} must be a list such as transition=0.1,request=0.01: each of {', '.join(LINE_KINDS)} with "
                "a number from 0 to 1"
            )
        shares[kind] = float(share)
    return MappingProxyType(shares)


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1  # false for NaN, too
    except ValueError:
        return False


def _lines_per_s(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= _MOST_LINES_PER_S):
        raise ConfigurationError(f"{LOG_LINES_PER_S} must be a whole number from 0 to {_MOST_LINES_PER_S}")
    return int(text)


def _sinks(text: str) -> tuple[SinkName, ...]:
    names = tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    if not set(names) <= set(get_args(SinkName)) or {"statsd", "dogstatsd"} <= set(names):
        raise ConfigurationError(
            f"{SINKS} must be a list of prometheus, otlp, and statsd or dogstatsd, or empty for none"
        )
    return cast("tuple[SinkName, ...]", names)


def _every_s(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not _LEAST_EVERY_S <= value <= _MOST_EVERY_S:
        raise ConfigurationError(f"{EVERY_S} must be {_LEAST_EVERY_S:g} to {_MOST_EVERY_S:g} seconds")
    return value


def _statsd(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65_536):
        raise ConfigurationError(f"{STATSD} must be HOST:PORT, such as 127.0.0.1:8125")
    return host, int(port)


def _endpoint(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.username:
        raise ConfigurationError(f"{OTLP_ENDPOINT} must be a URL such as http://127.0.0.1:4318")
    return text


def _headers(text: str) -> Mapping[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not (name.strip() and equals and value.strip().isprintable()) for name, equals, value in pairs):
        raise ConfigurationError(f"{OTLP_HEADERS} must be a list such as authorization=Bearer KEY")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _traces(text: str) -> Literal["off", "otlp"]:
    if text not in ("off", "otlp"):
        raise ConfigurationError(f"{TRACES} must be off or otlp")
    return cast('Literal["off", "otlp"]', text)


def _trace_share(text: str) -> float:
    if not _is_share(text):
        raise ConfigurationError(f"{TRACE_SHARE} must be a number from 0 to 1")
    return float(text)
