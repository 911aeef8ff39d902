"""The whole product as a user of Redis with the least rights that the documents name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import make_url
from support.installation import SOON_S, Installation, wait_until
from support.waiting_for_disks import wait_for_disk

from aegis_worker.delivery.stream import STREAM
from aegis_worker.lab.embedded.postgres import EmbeddedPostgres
from aegis_worker.lab.embedded.valkey import EmbeddedValkey
from aegis_worker.redis_rights import least_rights

pytestmark = pytest.mark.slow

_TOKENS = ("tok_visa", "tok_drop", "tok_500", "tok_soft_try_again_at_sandbox_a")


@pytest.fixture
def narrow(
    tmp_path: Path, environ: dict[str, str], postgres: EmbeddedPostgres
) -> Iterator[tuple[Installation, Redis]]:
    """An installation whose user of Redis may do no more, and an administrator of that Redis."""
    valkey = EmbeddedValkey(tmp_path / "redis")
    valkey.start()
    with Redis.from_url(valkey.url) as administrator:
        administrator.execute_command(*least_rights("aegis", "of-aegis").split(" "))
        administrator.execute_command("ACL", "LOG", "RESET")
        url = make_url(valkey.url).set(username="aegis", password="of-aegis")
        stores = {"REDIS_URL": url.render_as_string(hide_password=False), "DATABASE_URL": postgres.url}
        wait_for_disk(postgres, True)  # `aegis doctor` looks
        installation = Installation(tmp_path / "narrow", environ | stores)
        try:
            yield installation, administrator
        finally:
            installation.stop()
            wait_for_disk(postgres, False)
    valkey.stop()


def test_with_the_least_rights_payments_end_and_redis_refuses_nothing(
    narrow: tuple[Installation, Redis],
) -> None:
    running, administrator = narrow
    payment_ids = [running.accepted(token) for token in 3 * _TOKENS]
    assert {running.ended(payment_id)["state"] for payment_id in payment_ids} == {"SUCCESS"}
    wait_until(lambda: administrator.xlen(STREAM) >= 3 * len(payment_ids), SOON_S)
    assert running.aegis("gateways").returncode == 0  # 3 where Redis can't be asked
    # A message whose worker died is put back by the others.
    running.kill_worker()
    assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"
    wait_until(lambda: running.aegis("doctor", "--json").stdout.count('"verdict": "ok"') > 15, SOON_S)
    doctor = running.aegis("doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "0 failed, 0 warned" in doctor.stdout, doctor.stdout
    assert administrator.execute_command("ACL", "LOG") == []
