"""Webhooks that nobody has verified: kept sealed, as they came, and few, because anybody may have sent them.

A webhook that is signed with a certificate can't be verified before that certificate is there, and a request must not wait
for another server's. So the web process checks what it can (where the certificate lies, how old the transmission is), keeps
the webhook, and answers. Nothing of it is believed: whatever was found to be genuine is kept anew, as an event.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import partial

from aegis_worker.errors import InvalidWebhook, TooBusy
from aegis_worker.persistence import unverified_rows
from aegis_worker.persistence.database import Database
from aegis_worker.sealing.ring import KeyRing

MOST_WAITING = 1_000
"""How many of one gateway may wait. What comes beyond is answered with 503, and the gateway delivers it again."""

LARGEST_BODY = 65_536


def hold(database: Database, ring: KeyRing, gateway: str, headers: Mapping[str, str], body: bytes) -> None:
    """Keep a webhook until a worker has verified it. `headers`: those that this takes.

    Raises InvalidWebhook, TooBusy and DatabaseUnavailable.
    """
    if len(body) > LARGEST_BODY:
        raise InvalidWebhook("larger than an event is")
    content = json.dumps({"headers": dict(headers), "body": base64.b64encode(body).decode()}).encode()
    add = partial(unverified_rows.add, ring=ring, gateway=gateway, content=content, most=MOST_WAITING)
    if not database.run(add):
        raise TooBusy(f"{MOST_WAITING} webhooks of {gateway} wait to be verified")


def opened(content: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of what `hold` kept."""
    given = json.loads(content)
    return given["headers"], base64.b64decode(given["body"])
