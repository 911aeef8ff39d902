"""What waits for a person: the list, and one of them with the evidence, the question to the gateway and the decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_api.http.requests import known_form
from aegis_api.ops.approvals import two_person
from aegis_worker.domain.reviews import REVIEW_KINDS
from aegis_worker.errors import AegisError, InvalidState, ResolutionRefused
from aegis_worker.ids import PAYMENT
from aegis_worker.people import deciding
from aegis_worker.people.parts import Approval
from aegis_worker.queries.reviews import list_reviews
from aegis_worker.review.case import KINDS, Kind
from aegis_worker.review.parts import Resolution, Resolved, ReviewParts
from aegis_worker.review.questions import ask_gateways
from aegis_worker.views.pages import list_body
from aegis_worker.views.questions import asked_body
from aegis_worker.views.reviews import review_body
from aegis_worker.wiring.review import review_parts

from .acting import SHORTEST_REASON, confirm_amount, done_here, go_to, reason_of, told_of
from .addresses import cursor
from .blueprint import blueprint
from .login.forms import posted
from .login.guard import person, required
from .payment import read_payment, render_payment
from .typed import version_in

_SHOWN = 50
_ABOUT_MONEY = ("charged", "not_charged", "succeeded", "failed")
_DONE: dict[Kind, str] = {
    "ask_again": "asked_again",
    "withdraw": "withdrawn",
    "approve": "approved",
    "reject": "rejected",
    "rebuild": "rebuilt",
}
WHERE = {
    "dashboard": "the gateway’s dashboard, by our key",
    "settlement": "its settlement report",
    "support": "its support, in writing",
    "bank": "the bank statement",
    "other": "elsewhere",
}


@blueprint.route("/reviews")
def list_what_waits() -> str:
    """Payments in review and frozen ones, oldest first."""
    kind, after = request.args.get("kind"), cursor("after")
    kind = kind if kind in REVIEW_KINDS else None
    with parts().web.database.read() as connection:
        page = list_reviews(connection, limit=_SHOWN, after=after, kind=kind)
    body = list_body([review_body(waiting) for waiting in page.rows], page.next_cursor)
    return render_template("console/reviews.html", page=body, kind=kind, kinds=REVIEW_KINDS, after=after)


@blueprint.route("/reviews/<payment_id>")
def show_review(payment_id: str) -> str:
    """One of them."""
    return _page(payment_id, {})


@blueprint.route("/reviews/<payment_id>/ask", methods=["POST"])
@required("operator")
def ask_for_review(payment_id: str) -> ResponseReturnValue:
    """Ask the gateway now, and show its answer beside the decision."""
    return _asking(payment_id, lambda **told: _page(payment_id, {}, **told))


@blueprint.route("/payments/<payment_id>/ask", methods=["POST"])
@required("operator")
def ask_for_payment(payment_id: str) -> ResponseReturnValue:
    """Ask the gateway now, and show its answer on the payment's page."""
    return _asking(payment_id, lambda **told: render_payment(payment_id, **told))


@blueprint.route("/reviews/<payment_id>", methods=["POST"])
@required("operator")
def decide(payment_id: str) -> ResponseReturnValue:
    """Carry out the decision, or show why not, with what was typed."""
    form = posted()
    try:
        resolved = _decided(known_form(payment_id, PAYMENT), form)
    except AegisError as error:
        told, status = told_of(error)
        return _page(payment_id, form, refused=told), status
    if isinstance(resolved, Approval):
        return go_to(f"/console/approvals/{resolved.id}", "asked_for")
    done = "waits" if resolved.decision is not None else _DONE.get(_kind(form), "decided")
    return go_to(f"/console/payments/{payment_id}", done)


def _decided(payment_id: str, form: Mapping[str, str]) -> Resolved | Approval:
    kind = _kind(form)
    page = read_payment(payment_id)
    if kind not in page["why"]["next"]["resolutions"]:
        raise InvalidState("The payment does not wait for this decision (any more).", ())
    is_about_money = kind in _ABOUT_MONEY
    if is_about_money:
        confirm_amount(form, page["amount"])
    return deciding.decide(
        two_person(),
        payment_id,
        Resolution(
            kind=kind,
            reason=reason_of(form, least=SHORTEST_REASON if is_about_money else 3),
            gateway_ref=(form.get("gateway_ref", "").strip() or None)
            if kind in ("charged", "succeeded")
            else None,
            evidence=_evidence(form) if is_about_money else None,
            force=is_about_money and form.get("force") == "yes",
        ),
        actor=person().actor,
        expected_version=version_in(form),
    )


def _kind(form: Mapping[str, str]) -> Kind:
    kind = form.get("resolution")
    for known in KINDS:
        if known == kind:
            return known
    raise ResolutionRefused("Choose what you found.")


def _evidence(form: Mapping[str, str]) -> str | None:
    """Where it was seen, and where others can look."""
    where, at = WHERE.get(form.get("where", "")), " ".join(form.get("evidence", "").split())
    if where is None:
        return at or None
    return f"{where}: {at}" if at else None


def _asking(payment_id: str, page: Any) -> ResponseReturnValue:
    try:
        asked = ask_gateways(_review_parts(), known_form(payment_id, PAYMENT), actor=person().actor)
    except AegisError as error:
        told, status = told_of(error)
        return page(refused=told), status
    return page(asked=asked_body(asked))  # type: ignore[no-any-return]


def _page(payment_id: str, form: Mapping[str, str], **more: Any) -> str:
    page = read_payment(payment_id)
    return render_template(
        "console/review.html", **page, form=form, where=WHERE, done=done_here(), least=SHORTEST_REASON, **more
    )


def _review_parts() -> ReviewParts:
    web = parts().web
    return review_parts(web.settings, web.database, web.gateways, web.hints.notify)
