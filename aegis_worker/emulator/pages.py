"""The page of 3-D Secure that a payer is sent to: one button to pass it, one to fail it."""

from __future__ import annotations

import re
from collections.abc import Callable

from .replies import Reply

_PAGE = re.compile(r"/3ds/([\w-]{1,64})(/pass|/fail)?")
_FORM = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>3-D Secure test page</title>
<h1>3-D Secure test page</h1><p>This stands for the page of the card's issuer.</p>
<form method="post" action="/3ds/{payment}/pass"><button>Complete authentication</button></form>
<form method="post" action="/3ds/{payment}/fail"><button>Fail authentication</button></form></html>
"""


def payer_page(method: str, path: str, clicked: Callable[[str, bool], Reply | None]) -> Reply | None:
    """The page, or where the payer goes on after it. None for a path that is none of it.

    `clicked`: the answer to a click, of the payment's id and whether the payer passes; None for an id that nobody has.
    """
    found = _PAGE.fullmatch(path)
    if found is None:
        return None
    payment_id, choice = found.groups()
    if choice is None:
        return _html(_FORM.format(payment=payment_id)) if method == "GET" else None
    return clicked(payment_id, choice == "/pass") if method == "POST" else None


def sent_on(return_url: str, *, passed: bool) -> Reply:
    """Back to the shop, or a last word where it gave no address."""
    if return_url:
        return Reply(302, b"", {"Location": return_url})
    return _html(f"3-D Secure {'passed' if passed else 'failed'}; you may close this page.\n")


def _html(text: str) -> Reply:
    return Reply(200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})
