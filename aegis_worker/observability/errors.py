"""Error reports to Sentry, where SENTRY_DSN is set: no bodies, no local variables, no personal data."""

from __future__ import annotations

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.stdlib import StdlibIntegration

from .redaction import redact


def _scrub(event: Any, hint: dict[str, Any]) -> Any:
    return redact(event)


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
            # It would put tracing headers into calls to gateways, and variables into children's environments.
            disabled_integrations=[StdlibIntegration()],
        )
