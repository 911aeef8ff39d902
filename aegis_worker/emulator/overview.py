"""The front door of several gateways in one process: which there are, where they answer, and with which keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from .instance import Instance
from .page.build import HEADERS, asset
from .problems import problem
from .replies import Reply, json_reply

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Payment gateways’ emulator</title>
<link rel="stylesheet" href="/_sandbox/page.css">
</head>
<body>
<header><h1>Payment gateways’ emulator</h1></header>
<main>{sections}</main>
</body>
</html>
"""


def facts(instance: Instance) -> dict[str, Any]:
    """What whoever calls a gateway has to know."""
    plan = instance.plan
    return {
        "gateway": plan.format.name,
        "base_url": instance.url,
        "api_key": plan.api_key,
        "webhook_secret": plan.webhook_secret,
        "webhooks_to": plan.webhook_url,
        "page": f"{instance.url}/_sandbox/",
    }


@dataclass(frozen=True, slots=True)
class OverviewRoutes:
    """`GET /` for people, `GET /gateways` for programs, `GET /healthz`."""

    instances: Sequence[Instance]

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request."""
        if method == "GET" and target == "/":
            sections = "".join(_section(facts(instance)) for instance in self.instances)
            body = _PAGE.format(sections=sections).encode()
            return Reply(200, body, {**HEADERS, "Content-Type": "text/html; charset=utf-8"})
        if method == "GET" and target == "/gateways":
            return json_reply(200, {"gateways": [facts(instance) for instance in self.instances]})
        if method == "GET" and target == "/healthz":
            return json_reply(200, {"status": "ok"})
        found = asset(target.removeprefix("/_sandbox/")) if method == "GET" else None
        return found or problem(404, "not_found", "there are GET /, /gateways and /healthz here")


def _section(shown: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd><code>{escape(value)}</code></dd>"
        for name, value in shown.items()
        if value and name not in ("gateway", "page")
    )
    link = f'<p><a href="{escape(shown["page"])}">Requests, webhooks and ledger</a></p>'
    return f"<section><h2>{escape(shown['gateway'])}</h2><dl>{rows}</dl>{link}</section>"
