"""How an installation is observed: the form of its logs, and which lines of its everyday work are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, cast, get_args

from aegis_worker.errors import ConfigurationError

LogFormat = Literal["auto", "json", "pretty"]
LineKind = Literal["transition", "attempt", "retry", "breaker", "replay", "webhook", "request"]
LINE_KINDS: tuple[LineKind, ...] = get_args(LineKind)

LOG_FORMAT, LOG_SHARES, LOG_LINES_PER_S = "AEGIS_LOG_FORMAT", "AEGIS_LOG_SHARES", "AEGIS_LOG_LINES_PER_S"
VARIABLES = frozenset({LOG_FORMAT, LOG_SHARES, LOG_LINES_PER_S})

# A request that goes well tells nothing that the payment's own lines don't.
DEFAULT_SHARES: Mapping[LineKind, float] = MappingProxyType(
    {kind: 0.0 if kind == "request" else 1.0 for kind in LINE_KINDS}
)
_LINES_PER_S, _MOST_LINES_PER_S = 20, 100_000


@dataclass(frozen=True, slots=True)
class ObservationSettings:
    """`log_shares`: of which payments (0 to 1) lines of each kind are written at INFO. `log_lines_per_s`: how many of them
    a process writes a second at most; 0: none.
    """

    log_format: LogFormat = "auto"
    log_shares: Mapping[LineKind, float] = field(default_factory=lambda: DEFAULT_SHARES)
    log_lines_per_s: int = _LINES_PER_S


def load_observation_settings(environ: Mapping[str, str]) -> ObservationSettings:
    """The settings in the environment. Raises ConfigurationError naming the variable that is wrong."""
    return ObservationSettings(
        log_format=_log_format(environ.get(LOG_FORMAT) or "auto"),
        log_shares=_log_shares(environ.get(LOG_SHARES, "")),
        log_lines_per_s=_lines_per_s(environ.get(LOG_LINES_PER_S) or str(_LINES_PER_S)),
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
