"""The settings of the API's server: where it listens, and how many processes, threads and seconds there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_api.server.settings import Bind, load_server_settings, parsed_bind
from aegis_worker.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("127.0.0.1:8000", Bind("127.0.0.1", 8000)),
        ("localhost:80", Bind("localhost", 80)),
        ("0.0.0.0:65535", Bind("0.0.0.0", 65_535)),
        ("[::1]:8000", Bind("::1", 8000)),
        ("unix:/run/aegis.sock", Bind(path=Path("/run/aegis.sock"))),
    ],
)
def test_an_address_is_a_host_and_port_or_a_path(text: str, bind: Bind) -> None:
    assert parsed_bind(text) == bind


@pytest.mark.parametrize(
    "text",
    [
        "8000",
        ":8000",
        "[]:8000",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:port",
        "h:65536",
        "h:-1",
        "h:\u0661",
        "unix:",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match="AEGIS_BIND must be host:port or unix:PATH, such as"):
        parsed_bind(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AEGIS_WEB_WORKERS", "0"),
        ("AEGIS_WEB_WORKERS", "many"),
        ("AEGIS_WEB_THREADS", "0"),
        ("AEGIS_WEB_THREADS", "1.5"),
        ("AEGIS_BODY_WITHIN_S", "0"),
        ("AEGIS_BODY_WITHIN_S", "601"),
    ],
)
def test_a_number_out_of_its_bounds_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"{name} must be a whole number"):
        load_server_settings({}, usual_body=65_536)
