"""Where webhooks may not go, however it is written."""

from __future__ import annotations

import socket

import pytest

from aegis_worker.delivery.webhooks.addresses import (
    EndpointRefused,
    Target,
    checked_addresses,
    is_public,
    parse_target,
)

FORBIDDEN = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_of_somebodys_own_network_is_forbidden(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://2130706433/",
        "https://0/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1:8443/",
        "https://localhost/",
        "https://LOCALHOST/",
        "https://db.localhost/",
        "http://merchant.example/",
        "ftp://merchant.example/",
        "file:///etc/passwd",
        "gopher://merchant.example/",
        "//merchant.example/",
        "merchant.example",
        "https://",
        "https:///hooks",
        "https://user@merchant.example/",
        "https://user:pass@merchant.example/",
        "https://:@merchant.example/",
        "https://merchant.example/#part",
        "https://merchant.example:22/",
        "https://merchant.example:25/",
        "https://merchant.example:0/",
        "https://merchant.example:65536/",
        "https://merchant.example:x/",
        "https://merchant.example\\@127.0.0.1/",
        "https://merchant.example/a b",
        "https://merchant.example/\r\nX-Injected: 1",
        "https://merchant.example/\x00",
        "https://bücher.example/",
        "https://[fe80::1%25eth0]/",
        "https://[merchant.example/",
        "https://merchant.example/" + "a" * 2048,
        "https://" + "a" * 254 + "/",
    ],
)
def test_a_url_that_leads_elsewhere_is_refused(url):
    with pytest.raises(EndpointRefused):
        parse_target(url, allow_private=False)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://merchant.example", Target("https", "merchant.example", 443, "/")),
        ("https://Merchant.Example/hooks?a=1", Target("https", "merchant.example", 443, "/hooks?a=1")),
        ("https://merchant.example:8443/h", Target("https", "merchant.example", 8443, "/h")),
        ("https://xn--bcher-kva.example/", Target("https", "xn--bcher-kva.example", 443, "/")),
        ("https://8.8.8.8/", Target("https", "8.8.8.8", 443, "/")),
    ],
)
def test_an_ordinary_url_is_taken_apart(url, target):
    assert parse_target(url, allow_private=False) == target


def test_private_addresses_and_http_are_for_installations_that_allow_them():
    assert parse_target("http://127.0.0.1:8080/x", allow_private=True) == Target(
        "http", "127.0.0.1", 8080, "/x"
    )
    assert parse_target("http://localhost/", allow_private=True) == Target("http", "localhost", 80, "/")


def resolving_to(*addresses):
    def resolve(host, port, type):
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, type, 6, "", (address, port))
            for address in addresses
        ]

    return resolve


SOMEWHERE = Target("https", "merchant.example", 443, "/")


@pytest.mark.parametrize("address", FORBIDDEN)
def test_a_name_that_leads_into_our_network_is_refused(address):
    with pytest.raises(EndpointRefused, match=r"merchant\.example"):
        checked_addresses(SOMEWHERE, allow_private=False, resolve=resolving_to(address))


def test_one_forbidden_answer_among_public_ones_refuses_the_name():
    with pytest.raises(EndpointRefused):
        checked_addresses(SOMEWHERE, allow_private=False, resolve=resolving_to("8.8.8.8", "10.0.0.1"))


def test_the_checked_addresses_are_what_is_connected_to():
    found = checked_addresses(
        SOMEWHERE, allow_private=False, resolve=resolving_to("8.8.8.8", "2606:4700:4700::1111")
    )
    assert found == [(socket.AF_INET, "8.8.8.8"), (socket.AF_INET6, "2606:4700:4700::1111")]
