"""GEOGRAPHIC: by the customer's country."""

from __future__ import annotations

from ..ranking import NOTHING, Ranking, Situation

ELSEWHERE = "*"


def geographic(situation: Situation) -> Ranking:
    """The gateways of the customer's country, then those of "*", which serve also a customer whose country is unknown."""
    countries, country = situation.config.countries, situation.payment.customer.get("country")
    eligible = {gateway.name for gateway in situation.eligible}
    at_home = [name for name in countries.get(country or ELSEWHERE, ()) if name in eligible]
    elsewhere = [name for name in countries.get(ELSEWHERE, ()) if name in eligible and name not in at_home]
    if not at_home and not elsewhere:
        return NOTHING
    whose = country if at_home and country in countries else "any other country"
    return Ranking(at_home + elsewhere, f"first for customers of {whose}")
