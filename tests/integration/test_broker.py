"""The transport when Redis goes away and comes back again and again: errors that a worker recovers from, no others."""

from __future__ import annotations

import pytest
from kombu import Connection

from aegis_worker.broker import Transport


@pytest.mark.parametrize("is_channel_closed", [False, True])
def test_a_channel_whose_connection_is_gone_fails_with_what_a_worker_recovers_from(
    redis_url: str, is_channel_closed: bool
) -> None:
    connection = Connection(redis_url, transport=Transport)
    channel = connection.channel()
    recovered_from = connection.connection_errors
    channel._disconnect_pools()
    # As Celery does when Redis goes away: the transport is let go of, and its channels may be used once more.
    if is_channel_closed:
        channel.close()
    connection._do_close_transport()
    with pytest.raises(recovered_from):
        channel._create_client()
