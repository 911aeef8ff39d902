"""The list of payments: one box that finds them by anything, filters in the URL, older ones by a cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import redirect, render_template
from flask.typing import ResponseReturnValue
from msgspec.structs import replace

from aegis_api.http.parts import parts
from aegis_api.http.requests import known_form
from aegis_worker.domain.transitions import State
from aegis_worker.errors import NotFound
from aegis_worker.ids import PAYMENT, first_id_at, made_at
from aegis_worker.persistence import view_rows
from aegis_worker.queries.finding import Matches, find_payments, match_payments
from aegis_worker.queries.jobs import open_jobs
from aegis_worker.queries.payments import PaymentFilters, StoredPayment
from aegis_worker.queries.sentences import of_error
from aegis_worker.review.questions import MOST_ASKED
from aegis_worker.views.finding import found_body

from . import payment_filters, shown, signs
from .acting import done_here
from .addresses import queried
from .blueprint import blueprint
from .exports import MOST_ROWS, as_csv
from .layout import strip_now
from .login.guard import person
from .payment_filters import Unreadable, chips_of, filters_of, list_url

_SHOWN = 50
# Of those that came since a page was loaded, so many are looked at for its filters.
_MOST_NEWER = 2000
_LONGEST_OPEN = timedelta(days=7)
_COLUMNS = (
    "id",
    "created_at",
    "merchant_id",
    "mode",
    "state",
    "certainty",
    "amount",
    "captured",
    "refunded",
    "currency",
    "reference",
    "customer_id",
    "method",
    "gateway",
    "gateway_ref",
    "error_code",
    "why",
)


@blueprint.route("/payments")
def list_payments() -> ResponseReturnValue:
    """Payments of all merchants: what belongs to `q`, or what matches the filters."""
    asked, web = queried("q").get("q"), parts().web
    if asked is None:
        return _page()
    with web.database.read() as connection:
        found = find_payments(connection, asked, gateways=list(web.gateways()), limit=_SHOWN)
    if len(found) == 1:
        return redirect(f"/console/payments/{found[0].payment.id}", 303)
    return _page(asked=asked, found=found)


@blueprint.route("/payments/newer")
def count_newer() -> str:
    """How many payments match that are newer than `since`, as a link, for a list that is not moved under who reads it."""
    given = queried(*payment_filters.NAMES, "since")
    since = known_form(given.pop("since", ""), PAYMENT)
    try:
        filters = filters_of(given)
    except Unreadable:
        filters = PaymentFilters()
    try:
        begins = made_at(since)
    except (ValueError, OverflowError):
        raise NotFound("There is no such page in this console.") from None
    begins = max(begins, datetime.now(UTC) - _LONGEST_OPEN)
    if filters.created_gte is None or filters.created_gte < begins:
        filters = replace(filters, created_gte=begins)
    with parts().web.database.read() as connection:
        matches = match_payments(connection, filters, limit=_SHOWN, most=_MOST_NEWER)
    number = sum(row.payment.id > since for row in matches.rows)
    return render_template("console/newer.html", newer=_newer(given, since), number=number, most=_SHOWN)


@blueprint.route("/payments.csv")
def export_payments() -> ResponseReturnValue:
    """The newest payments that match the filters, for a table of one's own."""
    given = queried(*payment_filters.NAMES, "after")
    after = given.pop("after", None)
    try:
        filters = filters_of(given)
    except Unreadable as error:
        return _page(refused={"title": "Nothing to download.", "text": str(error)})
    with parts().web.database.read() as connection:
        matches = match_payments(connection, filters, limit=MOST_ROWS, starting_after=after)
        jobs = open_jobs(connection, [row.payment.id for row in matches.rows])
    rows = [_cells(found_body(row, jobs.get(row.payment.id))) for row in matches.rows]
    return as_csv("payments", _COLUMNS, rows, is_whole=matches.next_cursor is None)


def _page(
    *,
    asked: str | None = None,
    found: Sequence[StoredPayment] = (),
    refused: Mapping[str, Any] | None = None,
) -> str:
    """The list that matches the filters, or what was `found` for what was `asked`."""
    given = queried(*payment_filters.NAMES, "after")
    after = given.pop("after", None)
    web = parts().web
    try:
        filters = filters_of(given)
    except Unreadable as error:
        filters, refused = PaymentFilters(), refused or {"title": "Not filtered.", "text": str(error)}
    with web.database.read() as connection:
        if asked is not None:
            matches = Matches(found, None)
        else:
            matches = match_payments(connection, filters, limit=_SHOWN, starting_after=after)
        jobs = open_jobs(connection, [row.payment.id for row in matches.rows])
        saved = view_rows.of_user(connection, person().user_id)
    bodies = [found_body(row, jobs.get(row.payment.id)) for row in matches.rows]
    here = list_url(given).partition("?")[2]
    return render_template(
        "console/payments.html",
        asked=asked,
        given=given,
        refused=refused,
        done=done_here(),
        rows=[{**body, "why": _why(body)} for body in bodies],
        looked_at=matches.looked_at,
        older=matches.next_cursor and list_url({**given, "after": matches.next_cursor}),
        newest=list_url(given) if after else None,
        newer=None
        if after or asked is not None
        else _newer(given, bodies[0]["id"] if bodies else first_id_at(PAYMENT, datetime.now(UTC))),
        may_ask=asked is None and given.get("certainty") == "unknown" and person().role != "viewer",
        download=list_url({**given, "after": after} if after else given, "/console/payments.csv"),
        most_rows=MOST_ROWS,
        most_asked=MOST_ASKED,
        chips=chips_of(given),
        more_given=any(name in given for name in payment_filters.MORE),
        views=_views(given, asked),
        saved=[
            {"name": each.name, "query": each.query, "is_here": asked is None and each.query == here}
            for each in saved
        ],
        states=[(state.value, signs.of_state(state.value).word) for state in State],
        spans=[(name, word) for name, (word, _) in payment_filters.SPANS.items()],
        gateways=list(web.gateways()),
    )


def _newer(given: Mapping[str, str], since: str) -> dict[str, str]:
    """Where the number of newer ones is asked for, and where they are."""
    return {"ask": list_url({**given, "since": since}, "/console/payments/newer"), "href": list_url(given)}


def _cells(body: Mapping[str, Any]) -> list[Any]:
    """One payment, by `_COLUMNS`. Amounts are decimals, so that a table can sum those of one currency."""
    currency, amounts = body["currency"], body["amounts"]
    told = {
        "amount": shown.decimal(body["amount"], currency),
        "captured": shown.decimal(amounts["captured"], currency),
        "refunded": shown.decimal(amounts["refunded"], currency),
        "customer_id": body["customer"].get("id"),
        "method": body["payment_method"]["type"],
        "error_code": (body["last_error"] or {}).get("code"),
        "why": _why(body),
    }
    return [told[name] if name in told else body[name] for name in _COLUMNS]


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
            "href": list_url(filters),
            "is_here": asked is None and filters == dict(given),
            "count": doubts if name == "In doubt" else 0,
            "tone": "doubt",
        }
        for name, filters in views
    ]
    waits = {"name": "Waits for you", "href": "/console/reviews", "count": people, "tone": "person"}
    return [tabs[0], waits, *tabs[1:]]
