"""The tables of docs/howto/write-a-hook.md, and the example plug-in that it shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.inspect import StructType, type_info

from aegis_worker.hooks import contexts
from aegis_worker.hooks.points import ABOUT, Point

from .markdown import code, codes, docstring, table

_EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "our-shop"

_RUNS: Mapping[str, str] = {"api": "API", "worker": "worker", "outbox": "worker, from the outbox"}

# When each is asked, and what it may answer beside None.
_WHEN: Mapping[Point, tuple[str, str]] = {
    Point.VALIDATE_RAW: (
        "the body of a payment is JSON, and not held against the schema yet",
        "a list of `Problem`",
    ),
    Point.VALIDATE: ("all fields are valid, and nothing is written yet", "a list of `Problem`"),
    Point.VALIDATE_PAYMENT: ("after that: your own rules for payments", "a list of `Problem`"),
    Point.VALIDATE_CUSTOMER: ("after that: your own rules for who pays", "a list of `Problem`"),
    Point.ENRICH: ("before fraud checks and routing", "`Enrichment`: metadata and routing facts to add"),
    Point.FRAUD_CHECK: (
        "before the first call to a gateway",
        "`FraudAnswer`: allow, flag, require 3-D Secure, review or block, with score and reason",
    ),
    Point.ROUTE: ("before rules and strategy order the gateways", "names of gateways, best first"),
    Point.BEFORE_OPERATION: (
        "before each call that opens an attempt",
        "`BeforeAnswer`: go on, delay, review",
    ),
    Point.ON_ERROR: (
        "a call was declined, not sent, or its outcome is unknown",
        "`ErrorAnswer`: retry, delay, another gateway, refund, review or cancel, which the core may refuse",
    ),
    Point.AFTER_OPERATION: ("a charge, capture, void or refund has ended", "nothing"),
    Point.LISTEN: ("of every event", "nothing"),
    Point.METRICS: ("of each batch of events, in numbers", "nothing"),
}
_FAILED: Mapping[Point, str] = {
    Point.VALIDATE_RAW: "503 `hook_failed`",
    Point.VALIDATE: "503 `hook_failed`",
    Point.VALIDATE_PAYMENT: "503 `hook_failed`",
    Point.VALIDATE_CUSTOMER: "503 `hook_failed`",
    Point.FRAUD_CHECK: "the payment is blocked",
    Point.AFTER_OPERATION: "told again later",
    Point.LISTEN: "told again later",
    Point.METRICS: "its numbers are dropped",
}


def points() -> str:
    """Every point: when a hook is asked, by whom, what it gets, may answer, its limit, and what its failure means."""
    rows = [
        (
            code(point),
            _WHEN[point][0],
            _RUNS[about.runs],
            code(about.context.__name__),
            _WHEN[point][1],
            f"{about.timeout_ms} ms",
            f"{_FAILED.get(point, 'as if it had nothing to say')}{' (or open)' if about.policy == 'closed' else ''}"
            f"{' (or closed)' if about.policy == 'open' and about.may_close else ''}",
        )
        for point, about in ABOUT.items()
    ]
    return table(("hook", "asked when", "by", "gets", "may answer", "limit", "if it fails"), rows)


def what_hooks_get() -> str:
    """Every context, and the facts in it: fields and meaning."""
    facts: tuple[type[Struct], ...] = (
        contexts.PaymentFacts,
        contexts.CardFacts,
        contexts.GatewayFacts,
        contexts.Count,
    )
    shown = dict.fromkeys((*(about.context for about in ABOUT.values()), *facts))
    return table(
        ("type", "fields", "is"),
        [(code(kind.__name__), codes(_fields(kind)), docstring(kind)) for kind in shown],
    )


def example() -> str:
    """The example plug-in, whole."""
    blocks = [
        f"`{path.name}`:\n\n```{language}\n{path.read_text().strip()}\n```"
        for path, language in ((_EXAMPLE / "our_shop.py", "python"), (_EXAMPLE / "pyproject.toml", "toml"))
    ]
    return "\n\n".join(blocks)


def _fields(kind: type[Struct]) -> list[str]:
    info = type_info(kind)
    assert isinstance(info, StructType)
    return [field.name for field in info.fields]
