"""The HTTP API as the command line calls it: by the client, with errors that say what to do."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import aegis_client
from aegis_client import Answer, Client, Retries
from aegis_client.calls import Call, call
from aegis_worker import __version__
from aegis_worker.errors import OperatorError, Retryable

_RETRIES = Retries()
_NO_ACCESS = (401, 403)

# A job in one of these goes no further by itself.
ENDED_JOB = {"succeeded", "failed", "review"}


class NotAnswered(Retryable):
    """The API can't be reached or keeps saying "not now". A request may have arrived: send it again with the same key."""

    code = "api_unavailable"


class Api:
    """One API under one key. Safe to share between threads; `stop` ends every pause at once."""

    def __init__(self, url: str, key: str, *, connections: int = 1) -> None:
        self.url = url
        self.stop = threading.Event()
        try:
            self._client = Client(
                url,
                key,
                connections=connections,
                retries=_RETRIES,
                pause=lambda seconds: self.stop.wait(seconds),
                agent=f"aegis-cli/{__version__}",
            )
        except ValueError as error:
            what_to_do = (
                "`aegis keys create` makes one" if "key" in str(error) else "correct --url or AEGIS_API_URL"
            )
            raise OperatorError(f"{error}: {what_to_do}") from None

    def post_payment(self, body: Mapping[str, Any], idempotency_key: str) -> Answer:
        """Post until the API takes or refuses it, at most 7 times with pauses, always with the same key and body.

        Raises NotAnswered, and OperatorError when the API doesn't know the key or isn't ours.
        """
        return self.post("/v1/payments", body, idempotency_key)

    def post(self, path: str, body: Mapping[str, Any], idempotency_key: str) -> Answer:
        """Post what has a key, as `post_payment` does."""
        return self._answer(call("POST", path, body=body, idempotency_key=idempotency_key))

    def confirm(self, payment_id: str, gateway_data: Mapping[str, Any], idempotency_key: str) -> Answer:
        """Hand on what a payer brought back. Raises as `post_payment` does."""
        return self.post(
            f"/v1/payments/{payment_id}/confirm", {"gateway_data": gateway_data}, idempotency_key
        )

    def post_batch(self, payments: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Answer]:
        """Post many at once, (key, body) each; the answer to each by itself: of one accepted, the line of the answer.

        Those that are told "not now" are posted again as `post_payment` does; the last answer stands. Raises what it does.
        """
        lines = [{**body, "idempotency_key": key} for key, body in payments]
        try:
            told = self._client.post_batch(lines)  # type: ignore[arg-type]
        except aegis_client.ApiError as error:
            if error.status in _NO_ACCESS:
                raise self._no_access(error) from None
            raise OperatorError(f"{self.url} takes no batches: {error}") from None
        except aegis_client.NotAnswered as error:
            raise NotAnswered(str(error)) from None
        return [_answer_of_line(line) for line in told]

    def get(self, path: str) -> Answer:
        """Read a resource. Raises as `post_payment` does."""
        return self._answer(call("GET", path))

    def close(self) -> None:
        """Close the connections, and end the calls that other threads wait for."""
        self._client.close()

    def _answer(self, asked: Call) -> Answer:
        """Raises NotAnswered, and OperatorError when the API doesn't know the key or isn't ours."""
        try:
            answer = self._client.answer(asked)
        except aegis_client.NotAnswered as error:
            raise NotAnswered(str(error)) from None
        if answer.status in _NO_ACCESS:
            raise self._no_access(answer.reason)
        if not answer.body:
            raise OperatorError(f"{self.url} does not answer like an AegisPay API (HTTP {answer.status})")
        return answer

    def _no_access(self, why: object) -> OperatorError:
        return OperatorError(f"{self.url} refuses the API key: {why}")


def _answer_of_line(told: Mapping[str, Any]) -> Answer:
    """What a line of a batch was told, as the answer to a post by itself would be."""
    problem = told.get("problem")
    return Answer(200, told, {}) if problem is None else Answer(problem["status"], problem, {})
