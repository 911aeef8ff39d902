"""`python -m aegis_api.server [MODULE:FACTORY]`: serve the API, or another WSGI application under the same settings."""

from __future__ import annotations

import os
import sys

from aegis_worker.errors import ConfigurationError
from aegis_worker.observability.logs import configure_logs
from aegis_worker.observability.refusals import refuse_to_start
from aegis_worker.wiring.installation import check_installation

from .serve import serve
from .settings import load_server_settings


def main() -> None:
    """Check everything before the first worker process starts, because otherwise each would fail by itself."""
    try:
        settings = check_installation()
        configure_logs(settings.log_level)
        server = load_server_settings(os.environ, usual_body=settings.max_body_bytes)
        serve(server, application=sys.argv[1] if len(sys.argv) > 1 else None)
    except ConfigurationError as error:
        refuse_to_start(error)


if __name__ == "__main__":
    main()
