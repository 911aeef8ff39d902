"""What a hook may answer. None is an answer everywhere: the hook has nothing to say.

An answer is checked on our side of the pipe, against the types that stand here; one that isn't of its type counts as a
failure of the hook. Texts are cut to 200 printable characters where they are kept, and must hold no personal data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from aegis_worker.domain.metadata import KEY_FORM
from aegis_worker.domain.screening import HIGHEST_SCORE, Action

# Texts without NUL, which PostgreSQL can't keep.
_WITHOUT_NUL = r"\A[^\x00]*\Z"
Reason = Annotated[str, Meta(max_length=2000, pattern=_WITHOUT_NUL)]
DelayS = Annotated[float, Meta(ge=0, le=7 * 86_400)]
Word = Annotated[str, Meta(min_length=1, max_length=255, pattern=_WITHOUT_NUL)]
FactKey = Annotated[str, Meta(pattern=rf"\A{KEY_FORM}\Z")]
FactValue = bool | int | float | None | Annotated[str, Meta(max_length=500, pattern=_WITHOUT_NUL)]

MOST_PROBLEMS, MOST_GATEWAYS, MOST_FACTS = 20, 100, 50


class Problem(Struct, frozen=True, forbid_unknown_fields=True):
    """Validation: something that is wrong with a request. `pointer`: a JSON Pointer (RFC 6901) to the field in the body.

    `code` is stable, for programs; `detail` is for people and doesn't repeat what was given.
    """

    pointer: Annotated[str, Meta(max_length=500, pattern=r"\A(/[^\x00]*)?\Z")]
    code: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,63}\Z")]
    detail: Reason


class FraudAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """fraud_check: what is to be done with a payment. Of all answers the most severe holds. `score`: 0 to 100."""

    action: Action = Action.ALLOW
    reason: Reason | None = None
    score: Annotated[int, Meta(ge=0, le=HIGHEST_SCORE)] | None = None


class Enrichment(Struct, frozen=True, forbid_unknown_fields=True):
    """enrich: metadata to add, and facts for routing. Nothing else of a payment can be changed by a hook."""

    metadata: Annotated[Mapping[FactKey, FactValue], Meta(max_length=MOST_FACTS)] = {}
    routing: Annotated[Mapping[FactKey, FactValue], Meta(max_length=MOST_FACTS)] = {}


class BeforeAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """before_operation: whether the call goes out. `delay_s`: of a delay, in seconds."""

    ask: Literal["go_on", "delay", "review"] = "go_on"
    delay_s: DelayS | None = None
    reason: Reason | None = None


class ErrorAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """on_error: what the hook asks for. The core may refuse it: it never makes a call that could charge twice.

    `gateway`: of other_gateway, which one; None: the next candidate. `delay_s`: of a delay or retry, in seconds.
    """

    ask: Literal["nothing", "retry", "delay", "other_gateway", "refund", "review", "cancel"] = "nothing"
    delay_s: DelayS | None = None
    gateway: Word | None = None
    reason: Reason | None = None


Problems = Annotated[tuple[Problem, ...], Meta(max_length=MOST_PROBLEMS)]
"""Validation: what is wrong with a request; empty: nothing."""

GatewayNames = Annotated[tuple[Word, ...], Meta(max_length=MOST_GATEWAYS)]
"""route: names of gateways, best first. What is not named comes after, as rules and strategy put it."""
