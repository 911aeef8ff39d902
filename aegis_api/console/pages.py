"""All pages of the console. Whoever imports this gets their blueprints, with every page in them."""

from __future__ import annotations

from . import (
    analytics,
    asking,
    configurations,
    entities,
    files,
    gateways,
    keys,
    layout,
    orders,
    oversight,
    overview,
    payment,
    payments,
    reports,
    reviews,
    saved_views,
    settlement,
    webhooks,
)
from .blueprint import blueprint
from .login.pages import BLUEPRINTS as LOGIN

__all__ = [
    "BLUEPRINTS",
    "analytics",
    "asking",
    "configurations",
    "entities",
    "files",
    "gateways",
    "keys",
    "layout",
    "orders",
    "oversight",
    "overview",
    "payment",
    "payments",
    "reports",
    "reviews",
    "saved_views",
    "settlement",
    "webhooks",
]

BLUEPRINTS = (blueprint, saved_views.blueprint, files.blueprint, *LOGIN)
