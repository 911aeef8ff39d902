"""The tree's root and its four branches."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class AegisError(Exception):
    """Base of the tree. `code` is stable and appears in logs and in problem documents."""

    code = "internal_error"


class Retryable(AegisError):
    """Nothing was half-done; the same call may be made again, after `retry_after_s` seconds."""

    retry_after_s = 1


class Refused(AegisError):
    """The call is wrong as it stands; repeating it unchanged gives the same refusal. `more`: what a program needs of it."""

    more: Mapping[str, Any] = MappingProxyType({})


class OperatorError(AegisError):
    """Someone has to change the installation; the message says what."""


class ProgrammingError(AegisError):
    """A bug: the state on disk was protected, the operation was not carried out."""
