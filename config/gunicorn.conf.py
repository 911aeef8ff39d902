"""gunicorn settings of the API: gunicorn --config config/gunicorn.conf.py 'aegis_api.app:create_app()'"""

import os

bind = os.environ.get("AEGIS_BIND", "127.0.0.1:8000")

# sync: the least CPU a request, and no connection holds a place while it is idle. A request with `Prefer: wait`
# holds its worker for up to 10 s, hence twice the cores. AEGIS_WEB_THREADS above 1 makes them gthread workers, which
# wait more cheaply and answer somewhat slower.
workers = int(os.environ.get("AEGIS_WEB_WORKERS") or min(16, 2 * (os.cpu_count() or 1)))
threads = int(os.environ.get("AEGIS_WEB_THREADS") or 1)
keepalive = 5

# Longer than `Prefer: wait` (10 s) and a statement's limit (10 s) together: what exceeds it hangs.
timeout = 30
# Requests in flight at TERM; less than the 30 s after which an orchestrator usually kills.
graceful_timeout = 20

# Headers are bounded here, bodies by AEGIS_MAX_BODY_BYTES.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 4096

# A worker's heartbeat is a file: on a slow disk it would be taken for dead.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# The control socket would be made in the home folder, which a container's user does not have.
control_socket_disable = True

# The application logs its requests itself, redacted; an access log would hold query strings.
accesslog = None
errorlog = "-"
