"""A plan as the file that `reading` makes the same plan of. Pure."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from aegis_worker.domain.moments import rfc3339

from .plan import Injection, Plan


def plan_toml(plan: Plan) -> str:
    """The file."""
    lines = [f"seed = {plan.seed}"]
    if plan.begins_at is not None:
        lines.append(f"begins_at = {rfc3339(datetime.fromtimestamp(plan.begins_at, UTC))}")
    for one in plan.injections:
        lines += ["", "[[injections]]", *_lines(one)]
    return "\n".join(lines) + "\n"


def _lines(one: Injection) -> list[str]:
    plain = Injection(one.id, one.kind)
    told = {"id": one.id, "kind": one.kind.value}
    for name in Injection.__struct_fields__:
        value = getattr(one, name)
        if name not in told and value != getattr(plain, name) and value != math.inf:
            told[name] = value
    return [f"{name} = {_value(value)}" for name, value in told.items()]


def _value(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)
