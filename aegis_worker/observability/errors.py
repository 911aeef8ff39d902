"""Error reports to Sentry, where SENTRY_DSN is set: no bodies, no local variables, nothing of what callers sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import sentry_sdk
from sentry_sdk.integrations.stdlib import StdlibIntegration

from .redaction import HIDDEN, redact

# All that a report keeps of a request. The rest comes from the caller: headers and query strings hold keys, references
# and addresses.
_KEPT_OF_REQUEST = ("method", "url")
_KEPT_HEADERS = {"content-type", "content-length", "host"}
# Shorter texts of the caller are not searched for, because other words contain them by chance.
_SHORTEST_OF_CALLER = 4
_CALLERS_NAMES = re.compile(
    r"idempotency.?key|query|fragment|cookie|^data$|e?mail|payer|phone|address|browser|^ip$|reference|token",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(?<=[\w/])\?[^\s'\"<>]+")
_KEY_IN_TEXT = re.compile(r"(idempotency[-_ ]?key\W{1,4})[^\s'\",;)}]+", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_TOKEN = re.compile(r"\b(?:tok|pm|src|card|ctoken|cus)_\w+")


def configure_error_reports(dsn: str, environment: str) -> None:
    """Start reporting; does nothing without a DSN."""
    if dsn:
        sentry_sdk.init(
            dsn=dsn,
            environment=environment,
            send_default_pii=False,
            include_local_variables=False,
            max_request_body_size="never",
            before_send=_scrub,
            before_send_transaction=_scrub,
            # It adds tracing headers to calls to gateways, and variables to the environments of child processes.
            disabled_integrations=[StdlibIntegration()],
        )


def _scrub(event: Any, hint: dict[str, Any]) -> Any:
    event.pop("user", None)
    request = event.pop("request", None) or {}
    clean = _without_callers_words(redact(event), _of_caller(request))
    if request:
        clean["request"] = _without_callers_words(redact(_kept_of(request)), _of_caller(request))
    return clean


def _kept_of(request: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: request[name] for name in _KEPT_OF_REQUEST if name in request}
    if "url" in kept:
        kept["url"] = str(kept["url"]).partition("?")[0]
    headers = request.get("headers") or {}
    kept["headers"] = {name: value for name, value in headers.items() if name.lower() in _KEPT_HEADERS}
    return kept


def _of_caller(request: Mapping[str, Any]) -> list[str]:
    """What the caller sent in headers and the query string: the error's text may repeat it. The longest first."""
    headers = request.get("headers") or {}
    query = str(request.get("query_string") or urlsplit(str(request.get("url", ""))).query)
    words = {str(value) for name, value in headers.items() if name.lower() not in _KEPT_HEADERS}
    words |= {query, *(value for _, value in parse_qsl(query))}
    return sorted((word for word in words if len(word) >= _SHORTEST_OF_CALLER), key=len, reverse=True)


def _without_callers_words(value: Any, words: list[str]) -> Any:
    if isinstance(value, str):
        for word in words:
            value = value.replace(word, HIDDEN)
        value = _KEY_IN_TEXT.sub(rf"\1{HIDDEN}", _QUERY.sub(f"?{HIDDEN}", value))
        return _TOKEN.sub(HIDDEN, _EMAIL.sub(HIDDEN, value))
    if isinstance(value, Mapping):
        return {
            name: HIDDEN
            if item and isinstance(name, str) and _is_callers(name, item)
            else _without_callers_words(item, words)
            for name, item in value.items()
        }
    return [_without_callers_words(item, words) for item in value] if isinstance(value, list) else value


def _is_callers(name: str, item: Any) -> bool:
    return isinstance(item, str) and _CALLERS_NAMES.search(name) is not None
