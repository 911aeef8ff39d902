"""Webhooks stay out of our own network: whatever is registered, resolved, answered or changed in between."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pycurl
import pytest
from support.merchant_server import Sink, a_sink, answers
from support.outbox_events import STORY, a_payment, claim_and_fan_out, execute, make_due, settings_with
from support.payments import rows

from aegis_worker.delivery.webhooks.addresses import EndpointRefused
from aegis_worker.delivery.webhooks.deliver import DeliveryReport, deliver_due
from aegis_worker.delivery.webhooks.endpoints import create_endpoint
from aegis_worker.delivery.webhooks.schedule import Answered
from aegis_worker.delivery.webhooks.sender import HttpSender
from aegis_worker.domain.modes import Owner
from aegis_worker.exchange.handles import Handle
from aegis_worker.persistence.database import Database

_LEASE_S = 60.0
SETTINGS = settings_with(webhook_allow_private=False, webhook_max_tries=10)
_REFUSED = "hooks.merchant.test resolves to an address that webhooks may not go to"

# Loopback, private networks, link-local with the metadata servers of clouds, carrier-grade NAT, and the same within IPv6.
INSIDE = [
    "127.0.0.1",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "100.100.100.200",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "fd00:ec2::254",
    "fe80::1",
]


class LocalDns:
    """What the system's resolver would say: one answer a question, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int, type: int) -> list[tuple[Any, ...]]:
        self.asked += 1
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, type, 6, "", (address, port))
            for address in addresses
        ]


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A server on loopback: what must not be reached."""
    with a_sink() as running:
        yield running


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that connections were begun to, for "refused" and "could not be reached" look the same otherwise."""
    addresses: list[str] = []

    def refuse(handle: Handle, _purpose: int, place: tuple[Any, ...]) -> int:
        addresses.append(place[3][0])
        return int(pycurl.SOCKET_BAD)

    monkeypatch.setattr(Handle, "_open", refuse)
    return addresses


def told_to_an_endpoint(database: Database, url: str) -> None:
    """An event is on its way to an endpoint that was registered with this URL."""
    create_endpoint(database, SETTINGS, Owner("m_1", "test"), url, ())
    a_payment(database, events=STORY[:1])
    database.run(lambda tx: claim_and_fan_out(tx, limit=500, lease_s=_LEASE_S))


def delivered(database: Database, dns: LocalDns) -> DeliveryReport:
    sender = HttpSender(timeout_s=2, allow_private=False, resolve=dns)
    try:
        make_due(database, "webhook_deliveries")
        execute(database, "UPDATE webhook_endpoints SET resting_until = NULL")
        return deliver_due(database, sender, SETTINGS, limit=64, lease_s=_LEASE_S)
    finally:
        sender.close()


def errors(database: Database) -> list[str]:
    logged = rows(
        database, "SELECT e ->> 'error' AS error FROM webhook_deliveries, jsonb_array_elements(log) e"
    )
    return [row["error"] for row in logged]


@pytest.mark.row(60)
@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused_when_it_is_registered_and_when_a_name_leads_there(
    database: Database, begun: list[str], address: str
) -> None:
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(EndpointRefused):
        create_endpoint(database, SETTINGS, Owner("m_1", "test"), f"https://{literal}/hooks", ())
    assert rows(database, "SELECT 1 FROM webhook_endpoints") == []

    told_to_an_endpoint(database, "https://hooks.merchant.test/hooks")
    assert delivered(database, LocalDns([address])).failed == 1
    assert delivered(database, LocalDns(["93.184.215.14", address])).failed == 1
    assert errors(database) == [_REFUSED] * 2
    assert begun == []


@pytest.mark.row(60)
def test_a_name_that_was_public_when_it_was_checked_is_connected_to_at_the_checked_address(
    database: Database, begun: list[str]
) -> None:
    told_to_an_endpoint(database, "https://hooks.merchant.test/hooks")
    rebinding = LocalDns(["93.184.215.14"], ["127.0.0.1"])
    assert delivered(database, rebinding).failed == 1
    assert (rebinding.asked, begun) == (1, ["93.184.215.14"])
    assert delivered(database, rebinding).failed == 1
    assert (rebinding.asked, begun) == (2, ["93.184.215.14"])
    assert errors(database)[-1] == _REFUSED


@pytest.mark.row(60)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_into_our_network_is_not_followed(sink: Sink, status: int) -> None:
    # The first hop stands for a public server: that loopback is allowed for it must not matter for the second.
    sender = HttpSender(timeout_s=5, allow_private=True, resolve=LocalDns(["127.0.0.1"]))
    sink.scripts["/hooks"] = [answers(status, Location=sink.url("/latest/meta-data"))]
    answer = sender.post(sink.url(host="hooks.merchant.test"), {}, b"{}")
    sender.close()
    assert answer == Answered(status)
    assert [request.path for request in sink.received] == ["/hooks"]


@pytest.mark.row(60)
def test_an_endpoint_registered_while_private_addresses_were_allowed_is_refused_afterwards(
    database: Database, sink: Sink, begun: list[str]
) -> None:
    lenient = settings_with(webhook_allow_private=True)
    create_endpoint(database, lenient, Owner("m_1", "test"), sink.url(), ())
    create_endpoint(
        database, lenient, Owner("m_1", "test"), sink.url(host="localhost").replace("http:", "https:"), ()
    )
    a_payment(database, events=STORY[:1])
    database.run(lambda tx: claim_and_fan_out(tx, limit=500, lease_s=_LEASE_S))
    sender = HttpSender(timeout_s=2, allow_private=False)
    assert deliver_due(database, sender, SETTINGS, limit=64, lease_s=_LEASE_S).failed == 2
    assert (begun, sink.received) == ([], [])
    assert set(errors(database)) == {"the URL must start with https://", "webhooks may not go to localhost"}
