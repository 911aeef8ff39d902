"""Payers who are sent to a page of 3-D Secure: they open it and click on one of its buttons."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urljoin, urlsplit

import urllib3

from aegis_worker.errors import OperatorError

_TIMEOUT_S = 10.0
# What Adyen gives the shop to hand on. Other gateways know by themselves how the payer did.
_BROUGHT_BACK = "redirectResult"
_BUTTON = re.compile(r'<form method="post" action="([^"]+)"')


def click(page: str, button: str) -> dict[str, str]:
    """Open the page and click the button whose form's address ends like that. Raises OperatorError where there is none.

    Returns what the shop's address is given for the gateway, which the payer so brings back: empty where that is nothing.
    """
    with urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False) as pool:
        try:
            shown = pool.request("GET", page).data.decode()
            action = next((action for action in _BUTTON.findall(shown) if action.endswith(button)), None)
            if action is None:
                raise OperatorError(f"the page of 3-D Secure has no button {button}")
            # Where the payer goes on is the shop's, and the demo has no pages.
            sent_on = pool.request("POST", urljoin(page, action), redirect=False)
        except (urllib3.exceptions.HTTPError, UnicodeDecodeError) as error:
            raise OperatorError(f"the page of 3-D Secure does not answer: {error}") from error
    given = dict(parse_qsl(urlsplit(sent_on.headers.get("Location", "")).query))
    return {name: value for name, value in given.items() if name == _BROUGHT_BACK}
