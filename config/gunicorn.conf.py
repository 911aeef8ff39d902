"""gunicorn settings of the API: gunicorn --config config/gunicorn.conf.py 'aegis_api.app:create_app()'"""

import os

from gunicorn.util import parse_address as _parse_address

from aegis_worker.errors import ConfigurationError as _ConfigurationError
from aegis_worker.observability.refusals import refuse_to_start as _refuse_to_start
from aegis_worker.settings import whole_number as _whole_number
from aegis_worker.wiring.installation import check_installation as _check_installation


def on_starting(server):
    """Check the installation before the first worker starts, because otherwise each worker would fail by itself."""
    try:
        _check_installation()
    except _ConfigurationError as error:
        _refuse_to_start(error)


bind = os.environ.get("AEGIS_BIND") or "127.0.0.1:8000"
try:
    _parse_address(bind)
except RuntimeError as error:
    _refuse_to_start(_ConfigurationError(f"AEGIS_BIND must be host:port or unix:PATH: {error}"))

# gthread keeps connections open, so a POST costs the web process less CPU and is answered sooner than with sync workers,
# which take a new connection for each. One process a core, because Python runs one thread of a process at a time. Four
# threads in each, because a request also waits for PostgreSQL, and one with `Prefer: wait` holds its thread for up to 10
# s (at most two of a process do). Each thread needs a connection of the pool while it asks PostgreSQL, so AEGIS_POOL_SIZE
# (5) must not be less. More threads would only wait for each other. Our worker class is gthread, but answers the
# server's own errors in the form of the API's errors.
worker_class = "aegis_api.http.server.Worker"
try:
    workers = _whole_number("AEGIS_WEB_WORKERS", min(16, os.cpu_count() or 1), 1, 1024)
    threads = _whole_number("AEGIS_WEB_THREADS", 4, 1, 1024)
except _ConfigurationError as error:
    _refuse_to_start(error)

# Longer than the 60 s for which a proxy usually keeps an idle connection: the side that sends requests must be the one
# that closes, or now and then a request meets a closing connection.
keepalive = 75

# Connections of one process; below the usual limit of 1024 open files.
worker_connections = 900

# Connections of a burst wait in this queue for a process. Beyond it, the client's kernel would try again after a second
# or more. Linux limits it to net.core.somaxconn (4096).
backlog = 4096

# A process without a heartbeat for this long is killed. A hanging thread does not stop the heartbeat: its waits for
# PostgreSQL, the pool and `Prefer` have limits of their own.
timeout = 30
# The time for requests in flight at TERM; less than the 30 s after which an orchestrator usually kills.
graceful_timeout = 20

# Headers are limited here, bodies by AEGIS_MAX_BODY_BYTES. A line has room for a list's filters at their longest,
# percent-encoded.
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 4096

# No request may set the path under which it came. By default requests from this machine may, and a proxy here passes on
# what others send it.
forwarder_headers = ""

# A worker's heartbeat is a file. On a slow disk the worker would be taken for dead, so the file is kept in memory.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# The control socket would be made in the home folder, which a container's user does not have.
control_socket_disable = True

# The application logs its requests itself, redacted; an access log would hold query strings.
accesslog = None
errorlog = "-"
