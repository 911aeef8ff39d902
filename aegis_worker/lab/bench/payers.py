"""Payers of a gateway that they pay themselves, in its checkout: each order as soon as it waits for that.

Where nobody pays no payment comes to its end. What they cost is the bench's own and is not counted; what they add to a
payment's time is up to one look at the database, which is why such times are not for comparing gateways.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import urllib3

_LOOK_AGAIN_S = 0.02
_AT_ONCE = 4
_TIMEOUT_S = 10.0
_WAITING = "SELECT gateway_ref FROM payments WHERE state = 'REQUIRES_ACTION' AND gateway_ref IS NOT NULL"


class CheckoutPayers(threading.Thread):
    """Pay by one test token at the emulator with this URL, until `stop`. `connection`: theirs alone, with autocommit."""

    def __init__(self, connection: psycopg2.extensions.connection, url: str, token: str) -> None:
        super().__init__(name="payers", daemon=True)
        self._connection, self._url = connection, url
        self._body = json.dumps({"method": "card", "token": token}).encode()
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False, maxsize=_AT_ONCE)
        self._paid: set[str] = set()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look again and again who has to pay. The gateway tells of each payment by its webhook."""
        with self._connection.cursor() as cursor, ThreadPoolExecutor(_AT_ONCE) as several:
            while not self._stopped.wait(_LOOK_AGAIN_S):
                cursor.execute(_WAITING)
                orders = {str(row[0]) for row in cursor.fetchall()} - self._paid
                self._paid |= orders
                list(several.map(self._pay, orders))

    def stop(self) -> None:
        """End after the payments at hand."""
        self._stopped.set()
        self.join()
        self._pool.clear()

    def _pay(self, order: str) -> None:
        self._pool.request("POST", f"{self._url}/checkout/{order}/pay", body=self._body)
