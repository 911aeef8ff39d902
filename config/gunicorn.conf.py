"""gunicorn settings of the API: gunicorn --config config/gunicorn.conf.py 'aegis_api.app:create_app()'"""

import os

from gunicorn.util import parse_address as _parse_address

from aegis_worker.errors import ConfigurationError as _ConfigurationError
from aegis_worker.observability.refusals import refuse_to_start as _refuse_to_start
from aegis_worker.settings import whole_number as _whole_number
from aegis_worker.wiring.installation import check_installation as _check_installation


def on_starting(server):
    """Before the first worker: each would fail by itself."""
    try:
        _check_installation()
    except _ConfigurationError as error:
        _refuse_to_start(error)


bind = os.environ.get("AEGIS_BIND") or "127.0.0.1:8000"
try:
    _parse_address(bind)
except RuntimeError as error:
    _refuse_to_start(_ConfigurationError(f"AEGIS_BIND must be host:port or unix:PATH: {error}"))

# gthread, because it keeps connections open: a POST costs the web process less CPU than it costs sync workers, which take
# a new connection for each, and it answers sooner. One process a core, as Python runs one thread of a process at a time;
# four threads in each, because a request also waits for PostgreSQL, and one with `Prefer: wait` holds its thread for up to
# 10 s (at most two of a process do). Each thread needs a connection of the pool while it asks PostgreSQL: AEGIS_POOL_SIZE
# (5) is to be no less. More threads only wait for each other.
# The worker is gthread with errors told as those of the API.
worker_class = "aegis_api.http.server.Worker"
try:
    workers = _whole_number("AEGIS_WEB_WORKERS", min(16, os.cpu_count() or 1), 1, 1024)
    threads = _whole_number("AEGIS_WEB_THREADS", 4, 1, 1024)
except _ConfigurationError as error:
    _refuse_to_start(error)

# Longer than the 60 s for which a proxy usually keeps an idle connection: whoever closes it must be the one who sends, or
# now and then a request meets a closing connection.
keepalive = 75

# Connections of one process, below the usual limit of 1024 open files.
worker_connections = 900

# Who comes in a burst waits here for a process; what exceeds it would be sent again by the client's kernel after a second
# or more. Linux bounds it by net.core.somaxconn (4096).
backlog = 4096

# A process that shows no life for so long is killed. A thread that hangs doesn't show in that: its waits for PostgreSQL,
# the pool and `Prefer` have bounds of their own.
timeout = 30
# Requests in flight at TERM; less than the 30 s after which an orchestrator usually kills.
graceful_timeout = 20

# Headers are bounded here, bodies by AEGIS_MAX_BODY_BYTES.
# A line holds a list's filters at their longest, written in escapes.
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 4096

# No request may say under which path it came: by default those of this machine may, and a proxy here hands on what others
# send it.
forwarder_headers = ""

# A worker's heartbeat is a file: on a slow disk it would be taken for dead.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# The control socket would be made in the home folder, which a container's user does not have.
control_socket_disable = True

# The application logs its requests itself, redacted; an access log would hold query strings.
accesslog = None
errorlog = "-"
