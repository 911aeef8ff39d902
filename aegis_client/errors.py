"""What a client raises. `ApiError` has a subclass for each of the API's codes, in `problems`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .calls import Answer


class AegisPayError(Exception):
    """Anything that this client raises of its own."""


class NotAnswered(AegisPayError):
    """The API can't be reached, or keeps saying "not now".

    `may_have_arrived`: the request may have been carried out. If it has an idempotency key, send it again with the same
    key; otherwise look first.
    """

    def __init__(self, message: str, *, may_have_arrived: bool) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived


class UnexpectedAnswer(AegisPayError):
    """Whatever answers there is no AegisPay API."""


class InvalidWebhook(AegisPayError):
    """A webhook that is not ours, or too old: answer 400 and do nothing."""


class ApiError(AegisPayError):
    """The API refused a request. `problem` is its answer as it came."""

    code = ""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.code}: {answer.reason}")
        self.status = answer.status
        self.problem = answer.body
        self.code = answer.code
        self._errors = answer.errors

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        """The values that were refused, each with its place, code and detail."""
        return list(self._errors)

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.problem.get("retryable") is True

    @property
    def request_id(self) -> str | None:
        """Quote it to whoever operates the API."""
        return self.problem.get("request_id")


def refused(answer: Answer) -> ApiError:
    """The exception of the answer's code; a plain ApiError for a code that this version does not know."""
    return _by_code().get(answer.code, ApiError)(answer)


def _by_code() -> dict[str, type[ApiError]]:
    if not _BY_CODE:
        _BY_CODE.update({kind.code: kind for kind in ApiError.__subclasses__() if kind.code})
    return _BY_CODE


_BY_CODE: dict[str, type[ApiError]] = {}
