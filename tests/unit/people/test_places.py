"""Where a login may lead, and from where a request comes."""

from __future__ import annotations

import ipaddress

import pytest

from aegis_api.console.login.places import HOME, client_address, is_loopback, page_of_ours

OURS = (
    "/console/",
    "/console/payments/pay_0199",
    "/console/payments?q=a%2Fb&state=SUCCESS",
    "/console/account",
)
ELSEWHERE = (
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "/console/../../evil",
    "/console/..",
    "/console//evil.example",
    "/v1/payments",
    "javascript:alert(1)",
    "/console/x\r\nSet-Cookie: a=b",
    "/console/x\n",
    "/console/login",
    "/console/login?next=/console/login",
    "/consoles",
    "/console/é",
    "/console/" + "a" * 1000,
    "",
    None,
)
PROXIES = (ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("fd00::/64"))


@pytest.mark.parametrize("wanted", OURS)
def test_a_page_of_the_console_is_shown_after_logging_in(wanted: str) -> None:
    assert page_of_ours(wanted) == wanted


@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_anything_else_leads_to_the_first_page(wanted: str | None) -> None:
    assert page_of_ours(wanted) == HOME


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("10.0.0.5", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.5", "203.0.113.1, 198.51.100.9", "198.51.100.9"),
        ("10.0.0.5", "203.0.113.1, 198.51.100.9, 10.0.0.6", "198.51.100.9"),
        ("10.0.0.5", "nobody", "10.0.0.5"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("", "198.51.100.9", "198.51.100.9"),
        ("::ffff:10.0.0.5", "198.51.100.9", "198.51.100.9"),
        ("2001:db8::1", "", "2001:db8::/64"),
        ("2001:db8::ffff:2", "", "2001:db8::/64"),
        ("fd00::7", "2001:db8:1::1", "2001:db8:1::/64"),
        ("", "", ""),
    ],
)
def test_only_a_trusted_proxy_is_believed_and_only_about_who_asked_it(
    remote: str, forwarded: str, address: str
) -> None:
    assert client_address(remote, forwarded, PROXIES) == address


def test_without_proxies_nobody_is_believed() -> None:
    assert client_address("10.0.0.5", "198.51.100.9", ()) == "10.0.0.5"
    assert client_address("", "198.51.100.9", ()) == ""


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"])
def test_a_machine_names_itself(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["pay.example.com", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", ""]
)
def test_another_host_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)
