"""The blueprints of everything about people at the console."""

from __future__ import annotations

from .account import blueprint as account
from .approvals import blueprint as approvals
from .doors import blueprint as doors
from .people import blueprint as people

BLUEPRINTS = (doors, account, people, approvals)
