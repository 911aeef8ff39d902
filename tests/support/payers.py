"""Payers in front of a page of 3-D Secure: a browser in a few lines."""

from __future__ import annotations

from urllib.parse import urlsplit

from aegis_worker.lab.conformance.emulator import HttpAnswer, request_to

__all__ = ["payer_clicks", "request_to"]


def payer_clicks(page: str, button: str) -> HttpAnswer:
    """The payer opens the page of 3-D Secure, finds the button in it and clicks it."""
    place = urlsplit(page)
    shown = request_to(place.netloc, "GET", place.path, b"", {})
    action = f"{place.path}/{button}"
    assert f'action="{action}"' in shown.body.decode()
    return request_to(place.netloc, "POST", action, b"", {})
