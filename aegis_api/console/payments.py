"""The list of payments: one box that finds them by anything, filters in the URL, older ones by a cursor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.transitions import State
from aegis_worker.queries.finding import Matches, find_payments, match_payments
from aegis_worker.queries.jobs import open_jobs
from aegis_worker.queries.payments import PaymentFilters
from aegis_worker.queries.sentences import of_error
from aegis_worker.views.finding import found_body

from . import shown, signs
from .addresses import queried
from .blueprint import blueprint
from .layout import strip_now
from .typed import amount_in

_SHOWN = 50
_SPANS = {
    "1h": ("last hour", timedelta(hours=1)),
    "24h": ("last 24 hours", timedelta(days=1)),
    "7d": ("last 7 days", timedelta(days=7)),
    "30d": ("last 30 days", timedelta(days=30)),
}
_NAMES = (
    "q",
    "after",
    "state",
    "certainty",
    "gateway",
    "within",
    "amount_from",
    "amount_to",
    "currency",
    "customer_id",
    "reference",
    "error_code",
)
_MORE = ("amount_from", "amount_to", "currency", "customer_id", "reference", "error_code")


class _Unreadable(ValueError):
    """A filter that can't be read; says what it should be."""


@blueprint.route("/payments")
def list_payments() -> ResponseReturnValue:
    """Payments of all merchants: what belongs to `q`, or what matches the filters."""
    given = queried(*_NAMES)
    asked, after = given.pop("q", None), given.pop("after", None)
    web, refused = parts().web, None
    try:
        filters = _filters(given)
    except _Unreadable as error:
        filters, refused = PaymentFilters(), {"title": "Not filtered.", "text": str(error)}
    with web.database.read() as connection:
        if asked is not None:
            rows = find_payments(connection, asked, gateways=list(web.gateways()), limit=_SHOWN)
            matches = Matches(rows, None)
        else:
            matches = match_payments(connection, filters, limit=_SHOWN, starting_after=after)
        jobs = open_jobs(connection, [row.payment.id for row in matches.rows])
    if asked is not None and len(matches.rows) == 1:
        return redirect(f"/console/payments/{matches.rows[0].payment.id}", 303)
    bodies = [found_body(row, jobs.get(row.payment.id)) for row in matches.rows]
    return render_template(
        "console/payments.html",
        asked=asked,
        given=given,
        refused=refused,
        rows=[{**body, "why": _why(body)} for body in bodies],
        looked_at=matches.looked_at,
        older=matches.next_cursor and _url({**given, "after": matches.next_cursor}),
        newest=_url(given) if after else None,
        chips=_chips(given),
        more_given=any(name in given for name in _MORE),
        views=_views(given, asked),
        states=[(state.value, signs.of_state(state.value).word) for state in State],
        spans=[(name, word) for name, (word, _) in _SPANS.items()],
        gateways=list(web.gateways()),
    )


def _filters(given: Mapping[str, str]) -> PaymentFilters:
    """Raises _Unreadable."""
    currency = given.get("currency")
    if currency is not None and currency.upper() not in EXPONENTS:
        raise _Unreadable(f"{currency!r} is no currency that can be charged.")
    state, certainty, within = given.get("state"), given.get("certainty"), given.get("within")
    if state is not None and state not in frozenset(State):
        raise _Unreadable(f"{state!r} is no state of a payment.")
    if certainty not in (None, "known", "unknown"):
        raise _Unreadable("Doubt is known or unknown.")
    if within is not None and within not in _SPANS:
        raise _Unreadable(f"Created is one of {', '.join(_SPANS)}.")
    return PaymentFilters(
        state=None if state is None else State(state),
        certainty=certainty,  # type: ignore[arg-type]
        currency=None if currency is None else currency.upper(),
        amount_gte=_minor(given.get("amount_from"), currency),
        amount_lte=_minor(given.get("amount_to"), currency),
        created_gte=None if within is None else datetime.now(UTC) - _SPANS[within][1],
        gateway=given.get("gateway"),
        customer_id=given.get("customer_id"),
        reference=given.get("reference"),
        error_code=given.get("error_code"),
    )


def _minor(written: str | None, currency: str | None) -> int | None:
    """`12.50` in minor units: of the currency if one is chosen, else of one with two decimals."""
    if written is None:
        return None
    exponent = EXPONENTS[currency.upper()] if currency is not None else 2
    typed = amount_in(written)
    if typed is None:
        raise _Unreadable(f"{written!r} is no amount: write it as 12.50.")
    return min(int(typed.scaleb(exponent)), MAX_MINOR)


def _why(body: Mapping[str, Any]) -> str:
    """What is to be known of it in a list: why it failed, what it waits for, or what it has been since."""
    job, amounts = body["job"], body["amounts"]
    if job is not None and job["reason"]:
        return str(job["reason"])
    if body["state"] in ("FAILURE", "CANCELLED"):
        return of_error(body["last_error"]) or ""
    if body["state"] == "AUTHORIZED" and body["capture_before"]:
        return f"held until {shown.exact(body['capture_before'])}"
    told = [("disputed", "disputed"), ("charged_back", "charged back"), ("refunded", "refunded")]
    return ", ".join(word for name, word in told if amounts[name])


def _chips(given: Mapping[str, str]) -> list[dict[str, str]]:
    words = {
        "state": lambda value: signs.of_state(value).word,
        "certainty": lambda value: "in doubt" if value == "unknown" else "known",
        "within": lambda value: _SPANS[value][0] if value in _SPANS else value,
        "amount_from": lambda value: f"from {value}",
        "amount_to": lambda value: f"to {value}",
    }
    return [
        {
            "word": words[name](value)
            if name in words
            else f"{name.removesuffix('_id')} {value}".replace("_", " "),
            "without": _url({other: kept for other, kept in given.items() if other != name}),
        }
        for name, value in given.items()
    ]


def _views(given: Mapping[str, str], asked: str | None) -> list[dict[str, Any]]:
    safety = strip_now()["safety"]
    doubts = safety["in_doubt"]["payments"] if safety else 0
    people = safety["for_people"]["payments"] if safety else 0
    views: list[tuple[str, dict[str, str]]] = [
        ("All", {}),
        ("In doubt", {"certainty": "unknown"}),
        ("Held", {"state": "AUTHORIZED"}),
        ("Not charged", {"state": "FAILURE", "within": "24h"}),
        ("Last hour", {"within": "1h"}),
    ]
    tabs: list[dict[str, Any]] = [
        {
            "name": name,
            "href": _url(filters),
            "is_here": asked is None and filters == dict(given),
            "count": doubts if name == "In doubt" else 0,
            "tone": "doubt",
        }
        for name, filters in views
    ]
    waits = {"name": "Waits for you", "href": "/console/reviews", "count": people, "tone": "person"}
    return [tabs[0], waits, *tabs[1:]]


def _url(query: Mapping[str, str]) -> str:
    return f"/console/payments?{urlencode(query)}" if query else "/console/payments"
