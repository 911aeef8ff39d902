"""Payers in front of a page of 3-D Secure: a browser in a few lines."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

from support.sandbox_process import CLIENT_TIMEOUT_S, HttpAnswer


def payer_clicks(page: str, button: str) -> HttpAnswer:
    """The payer opens the page of 3-D Secure, finds the button in it and clicks it."""
    place = urlsplit(page)
    shown = request_to(place.netloc, "GET", place.path, b"", {})
    action = f"{place.path}/{button}"
    assert f'action="{action}"' in shown.body.decode()
    return request_to(place.netloc, "POST", action, b"", {})


def request_to(netloc: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(netloc, timeout=CLIENT_TIMEOUT_S)
    try:
        connection.request(method, path, body or None, dict(headers))
        answer = connection.getresponse()
        return HttpAnswer(answer.status, answer.read(), {n.lower(): v for n, v in answer.getheaders()})
    finally:
        connection.close()
