"""docs/howto/operate.md: the alerts of config/prometheus/alerts.yml, and what to do about each."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from .markdown import code, table

_RULES = Path(__file__).parents[2] / "config" / "prometheus" / "alerts.yml"
_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")


def runbook() -> str:
    """Each alert with its severity, what it means and what to do."""
    groups = yaml.safe_load(_RULES.read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    return table(("alert", "severity", "means", "do"), [_row(alert) for alert in alerts])


def _row(alert: dict[str, dict[str, str]]) -> tuple[str, str, str, str]:
    told = alert["annotations"]
    means = _LABEL.sub(lambda found: found[1].upper(), told["summary"])
    return code(str(alert["alert"])), alert["labels"]["severity"], means, told["action"]
