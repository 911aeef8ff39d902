"""Captures, refunds and cancels that operators order for a merchant, from the payment's page."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from flask import g, redirect, render_template
from flask.typing import ResponseReturnValue

from aegis_api.http.requests import known_form
from aegis_api.ops.approvals import two_person
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.money import MAX_MINOR, Money
from aegis_worker.errors import AegisError, ResolutionRefused
from aegis_worker.ids import PAYMENT
from aegis_worker.people.ordering import Wanted, order_for_operator
from aegis_worker.people.parts import Approval

from .acting import confirm_amount, go_to, reason_of, told_of
from .blueprint import blueprint
from .login.forms import posted
from .login.guard import person, required
from .payment import read_payment
from .typed import amount_in, version_in

_KINDS = {"capture": EntityKind.CAPTURE, "refund": EntityKind.REFUND, "cancel": EntityKind.VOID}
_LONGEST_KEY = 64


@blueprint.route("/payments/<payment_id>/<any(capture, refund, cancel):kind>")
@required("operator")
def ask_what_to_order(payment_id: str, kind: str) -> str:
    """What it does, and the form for it."""
    return _page(payment_id, kind, {})


@blueprint.route("/payments/<payment_id>/<any(capture, refund, cancel):kind>", methods=["POST"])
@required("operator")
def order_it(payment_id: str, kind: str) -> ResponseReturnValue:
    """Order it, or show why not, with what was typed."""
    form = posted()
    try:
        done = _ordered(known_form(payment_id, PAYMENT), kind, form)
    except AegisError as error:
        told, status = told_of(error)
        return _page(payment_id, kind, form, refused=told), status
    if isinstance(done, Approval):
        return redirect(f"/console/approvals/{done.id}", 303)
    return go_to(f"/console/payments/{payment_id}", "ordered")


def _ordered(payment_id: str, kind: str, form: Mapping[str, str]) -> Any:
    amount: Money = read_payment(payment_id)["amount"]
    if kind == "cancel":
        confirm_amount(form, amount)
    wanted = Wanted(
        _KINDS[kind],
        payment_id,
        form.get("key", "")[:_LONGEST_KEY] or secrets.token_hex(16),
        reason_of(form),
        None if kind == "cancel" else _minor(form, amount.currency),
        form.get("final") == "yes" if kind == "capture" else None,
        kind == "refund" and form.get("force") == "yes",
        version_in(form),
        g.trail,
    )
    return order_for_operator(two_person(), wanted, actor=person().actor)


def _minor(form: Mapping[str, str], currency: str) -> int:
    """The amount that was typed, in minor units. Raises ResolutionRefused."""
    typed = amount_in(form.get("amount", ""))
    if typed is None:
        raise ResolutionRefused("Type the amount, such as 12.50.")
    minor = typed.scaleb(EXPONENTS[currency])
    if minor != minor.to_integral_value() or not 1 <= minor <= MAX_MINOR:
        raise ResolutionRefused(f"That is no amount of {currency}.")
    return int(minor)


def _page(payment_id: str, kind: str, form: Mapping[str, str], **more: Any) -> str:
    # The same form sent twice orders once: its key stays what it was.
    key = form.get("key") or secrets.token_hex(16)
    page = read_payment(payment_id)
    return render_template("console/order.html", **page, kind=kind, key=key, form=form, **more)
