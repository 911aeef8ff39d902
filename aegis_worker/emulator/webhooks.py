"""Sends the gateway's webhooks: signed, one after the other, a bounded number of times."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import threading
import time
from functools import partial
from urllib.parse import urlsplit

from .ledger import Ledger
from .recording import Recorder
from .rows import QueuedWebhook
from .script_table import OK
from .scripts import Telling
from .telling import EventForm, Signer, on_the_way
from .tokens import named

MOST_TRIES = 8
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
TIMEOUT_S = 3.0
BATCH = 50
IDLE_S = 0.5


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """`t=<seconds since 1970>,v1=<hex HMAC-SHA-256 of "<t>.<body>">`."""
    signed = hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256)
    return f"t={timestamp},v1={signed.hexdigest()}"


def signed_in(header: str) -> Signer:
    """Signs in a header of this name."""
    return partial(_signed_in, header)


def _signed_in(header: str, secret: str, timestamp: int, body: bytes) -> tuple[dict[str, str], bytes]:
    return {header: signature(secret, timestamp, body)}, body


class WebhookSender(threading.Thread):
    """Delivered at least once; after MOST_TRIES an event is dropped, as real gateways do after days."""

    def __init__(
        self,
        ledger: Ledger,
        url: str,
        secret: str,
        sign: Signer,
        form: EventForm,
        recorder: Recorder | None = None,
    ) -> None:
        super().__init__(name="webhooks", daemon=True)
        self._ledger, self._secret, self._sign, self._form = ledger, secret, sign, form
        self._recorder = recorder
        target = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            target.hostname or "", target.port or 80, timeout=TIMEOUT_S
        )
        self._path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        self._news, self._stopped = threading.Event(), threading.Event()

    def wake(self) -> None:
        """Look at once whether there is something to send."""
        self._news.set()

    def stop(self) -> None:
        """Finish the event at hand and end."""
        self._stopped.set()
        self._news.set()
        self.join(TIMEOUT_S + 1)

    def run(self) -> None:
        """Send what is due, oldest first, until stopped."""
        while not self._stopped.is_set():
            self._news.clear()
            with self._ledger.transaction() as tx:
                due = tx.due_webhooks(self._ledger.now(), BATCH)
            for webhook in due:
                self._settle(webhook, self._send(webhook))
                if self._stopped.is_set():
                    break
            if not due:
                self._news.wait(IDLE_S)

    def _settle(self, webhook: QueuedWebhook, arrived: bool) -> None:
        with self._ledger.transaction() as tx:
            if arrived or webhook.tries + 1 >= MOST_TRIES:
                tx.drop_webhook(webhook.seq)
            else:
                again_in_s = min(FIRST_RETRY_S * 2**webhook.tries, LONGEST_RETRY_S)
                tx.retry_webhook(webhook.seq, self._ledger.now() + again_in_s)

    def _send(self, webhook: QueuedWebhook) -> bool:
        """Whether it need not be sent again."""
        script = named(webhook.script) if webhook.script else OK
        signed, body = on_the_way(
            webhook.body, script, self._secret, int(time.time()), self._sign, self._form
        )
        headers = {"Content-Type": self._form.content_type, **signed}
        status = None if script.telling is Telling.LOST else self._post(headers, body)
        if self._recorder:
            self._recorder.note_delivery(
                event_id=webhook.event_id,
                headers=headers,
                body=body,
                status=status,
                tries=webhook.tries,
                script=webhook.script,
                event=webhook.body,
            )
        return status is None or 200 <= status < 300

    def _post(self, headers: dict[str, str], body: bytes) -> int:
        """The status that comes back, 0 where nothing does."""
        try:
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0
        return answer.status
