"""Code is ready for its own schema and for newer ones that still serve it; for others it says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from support.api_client import Api, body_of, start_api
from support.checkout import CHECKOUT
from support.command_line import Aegis, aegis, install
from support.payments import rows

from aegis_worker.errors import SchemaUnfit
from aegis_worker.persistence import compatibility, migrate
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.revisions import chain
from aegis_worker.persistence.serving import oldest_code
from aegis_worker.wiring import process

__all__ = ["aegis"]

_HEAD = chain()[-1]
_LATER = """
from alembic import op

revision = "9999"
down_revision = "{head}"
oldest_code = "{oldest}"


def upgrade() -> None:
    op.execute("ALTER TABLE payments ADD COLUMN later TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE payments DROP COLUMN later")
"""


@pytest.fixture
def api(database_url: str) -> Iterator[Api]:
    api = start_api(database_url)
    yield api
    api.database.dispose()


@pytest.fixture(autouse=True)
def _installation(monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str) -> Iterator[None]:
    install(monkeypatch, database_url, REDIS_URL=redis_url)
    for name in ("A", "B"):  # nobody answers there, and nobody has to
        monkeypatch.setenv(f"AEGIS_SANDBOX_{name}_URL", "http://127.0.0.1:1")
    process.forget_worker()
    yield
    process.forget_worker()


@pytest.fixture
def migrated_by_a_later_version(tmp_path: Path, database_url: str) -> Callable[[str], None]:
    """Run the migrations of a version that has one more, which serves code from the given migration on."""

    def run(oldest: str) -> None:
        shutil.copytree(CHECKOUT / "aegis_worker", tmp_path / "aegis_worker")
        versions = tmp_path / "aegis_worker" / "persistence" / "migrations" / "versions"
        (versions / "m9999_later.py").write_text(_LATER.format(head=_HEAD, oldest=oldest))
        program = f"from aegis_worker.persistence import migrate; migrate.upgrade({database_url!r})"
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, check=True, timeout=60)

    return run


def test_the_files_of_the_migrations_are_named_by_their_chain() -> None:
    scripts = ScriptDirectory.from_config(migrate.alembic_config())
    assert list(chain()) == [script.revision for script in scripts.walk_revisions()][::-1]


def test_each_migration_says_the_oldest_code_that_it_serves() -> None:
    scripts = ScriptDirectory.from_config(migrate.alembic_config())
    for number, revision in enumerate(chain()):
        stated = scripts.get_revision(revision).module.oldest_code
        assert stated in chain()[: number + 1], revision


def test_the_database_says_which_code_it_serves_as_soon_as_it_is_migrated(database: Database) -> None:
    said = rows(database, "SELECT revision, oldest_code FROM schema_compatibility")
    assert said == [{"revision": _HEAD, "oldest_code": oldest_code(_HEAD)}]


def test_a_later_migration_does_not_take_back_what_an_earlier_one_asks_for() -> None:
    served = [chain().index(oldest_code(revision)) for revision in chain()]
    assert served == sorted(served)


@pytest.mark.slow
def test_older_code_goes_on_with_a_newer_schema_that_serves_it(
    api: Api, aegis: Aegis, migrated_by_a_later_version: Callable[[str], None]
) -> None:
    migrated_by_a_later_version(_HEAD)
    ready = api.app.test_client().get("/readyz")
    assert (ready.status_code, body_of(ready)["checks"]["schema"]) == (200, "ok")
    assert api.merchant().post_payment().status_code == 202
    process.worker()
    assert aegis("relay", "--once").exit_code == 0
    schema = next(check for check in aegis("doctor", "--json").json["checks"] if check["name"] == "schema")
    assert (schema["verdict"], schema["seen"].startswith("at 9999, newer")) == ("ok", True)


@pytest.mark.slow
def test_older_code_is_not_ready_for_a_newer_schema_that_does_not_serve_it_and_says_so(
    api: Api, aegis: Aegis, migrated_by_a_later_version: Callable[[str], None]
) -> None:
    migrated_by_a_later_version("9999")
    told = "newer than this version"
    answer = api.app.test_client().get("/readyz")
    assert (answer.status_code, told in body_of(answer)["detail"]) == (503, True)
    assert "aegis migrate" not in body_of(answer)["detail"].split(";")[0]
    with pytest.raises(SchemaUnfit, match=told):
        process.worker()
    for command in (("relay", "--once"), ("outbox", "status"), ("reviews",)):
        ran = aegis(*command)
        assert (ran.exit_code, told in ran.err) == (3, True), command


@pytest.mark.parametrize("oldest", ["an unknown one", None])
def test_a_newer_schema_that_does_not_say_that_it_serves_this_code_is_taken_not_to(
    api: Api, database: Database, oldest: str | None
) -> None:
    def from_elsewhere(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("DELETE FROM schema_compatibility")
        if oldest:
            connection.exec_driver_sql("INSERT INTO schema_compatibility VALUES ('9999', %s)", (oldest,))

    database.run(from_elsewhere)
    assert api.app.test_client().get("/readyz").status_code == 503


@pytest.mark.parametrize("revision", ["base", "0005"])
@pytest.mark.slow
def test_code_whose_schema_is_older_is_not_ready_and_says_to_migrate(
    api: Api, aegis: Aegis, database_url: str, revision: str
) -> None:
    migrate.downgrade(database_url, revision)
    answer = api.app.test_client().get("/readyz")
    assert (answer.status_code, "run `aegis migrate`" in body_of(answer)["detail"]) == (503, True)
    with pytest.raises(SchemaUnfit, match="run `aegis migrate`"):
        process.worker()
    ran = aegis("reviews")
    assert (ran.exit_code, "run `aegis migrate`" in ran.err) == (3, True)
    assert aegis("migrate").exit_code == 0
    assert api.app.test_client().get("/readyz").status_code == 200


@pytest.mark.slow
def test_a_worker_that_runs_learns_of_a_schema_that_no_longer_serves_it(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    migrated_by_a_later_version: Callable[[str], None],
) -> None:
    monkeypatch.setattr(compatibility, "_HOLDS_S", 0.0)
    process.worker()
    migrated_by_a_later_version("9999")
    with pytest.raises(SchemaUnfit):
        process.worker()
