"""docs/reference/errors.md: the API's codes, the codes in `last_error`, and the tree of exceptions."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_api.http.problems import PROBLEMS
from aegis_worker import errors
from aegis_worker.domain.declines import ADVICE, CATEGORIES, DECLINES
from aegis_worker.errors import AegisError, OperatorError, ProgrammingError, Refused, Retryable

from .markdown import code, docstring, table

_KINDS = (Retryable, Refused, OperatorError, ProgrammingError)


def problems() -> str:
    """The codes of problem documents."""
    rows = [
        (str(problem.status), code(name), problem.title, "yes" if problem.retryable else "no")
        for name, problem in sorted(PROBLEMS.items(), key=lambda item: item[1].status)
    ]
    return table(("status", "code", "means", "may be sent again unchanged"), rows)


def declines() -> str:
    """The codes of `last_error`, by category, and what each advice asks for."""
    rows = [
        (code(name), decline.category, code(decline.advised_action), decline.meaning)
        for category in CATEGORIES
        for name, decline in DECLINES.items()
        if decline.category == category
    ]
    return "\n\n".join(
        (
            table(("code", "category", "advised_action", "means"), rows),
            table(("category", "means"), CATEGORIES.items()),
            table(("advised_action", "what to do"), [(code(name), text) for name, text in ADVICE.items()]),
        )
    )


def elsewhere() -> str:
    """After which declines another gateway is tried where gateways.toml says nothing, and why."""
    rows = [
        (code(name), "no" if decline.attempts == 1 else "yes", decline.attempts_why)
        for name, decline in DECLINES.items()
        if decline.category == "soft"
    ]
    return table(("code", "another gateway is tried", "why"), rows)


def exceptions() -> str:
    """The tree of aegis_worker/errors."""
    rows: list[tuple[str, str, str, str]] = []
    for kind in _KINDS:
        rows.append((f"**{kind.__name__}**", "", "", docstring(kind)))
        rows += [(code(one.__name__), code(one.code), _status(one), docstring(one)) for one in _below(kind)]
    return table(("exception", "code", "status", "means"), rows)


def _below(kind: type[AegisError]) -> Iterator[type[AegisError]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith(f"{errors.__name__}."):
            yield one
            yield from _below(one)


def _status(kind: type[AegisError]) -> str:
    known = PROBLEMS.get(kind.code)
    return str(known.status) if known else "500"
