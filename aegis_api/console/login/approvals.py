"""What waits for a second person, at the console."""

from __future__ import annotations

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import asked, parts
from aegis_api.http.requests import known_form
from aegis_api.ops.approvals import two_person
from aegis_worker.domain.approvals import APPROVAL_STATUSES
from aegis_worker.domain.money import Money
from aegis_worker.domain.people import principal
from aegis_worker.ids import APPROVAL
from aegis_worker.people import approving, asking
from aegis_worker.people.parts import Approval

from ..acting import done_here
from ..addresses import cursor
from .forms import posted
from .guard import ConsoleBlueprint, person, required

blueprint = ConsoleBlueprint("console_approvals", __name__)

_SHOWN = 100


@blueprint.route("/approvals")
@required("viewer")
def approvals_page() -> ResponseReturnValue:
    """The newest hundred: by default those that wait."""
    wanted = asked().args.get("status", "asked")
    status = wanted if wanted in APPROVAL_STATUSES else None
    found = asking.list_approvals(
        parts().web.database, limit=_SHOWN + 1, status=status, before=cursor("before")
    )
    return render_template(
        "console/login/approvals.html",
        approvals=found[:_SHOWN],
        older=found[_SHOWN - 1].id if len(found) > _SHOWN else None,
        status=status or "all",
        statuses=APPROVAL_STATUSES,
        amount_of=_amount,
    )


@blueprint.route("/approvals/<approval_id>")
@required("viewer")
def approval_page(approval_id: str) -> ResponseReturnValue:
    """One of them, with all that was asked for, and the forms to approve or refuse it."""
    approval = asking.get_approval(parts().web.database, known_form(approval_id, APPROVAL))
    return render_template(
        "console/login/approval.html",
        approval=approval,
        amount=_amount(approval),
        done=done_here(),
        is_own=principal(approval.asked_by) == principal(person().actor),
    )


@blueprint.route("/approvals/<approval_id>/approve", methods=["POST"])
@required("operator")
def approve_at_console(approval_id: str) -> ResponseReturnValue:
    """Approve what another person asked for, as the page showed it."""
    form = posted()
    approving.approve(
        two_person(),
        known_form(approval_id, APPROVAL),
        actor=person().actor,
        reason=form.get("reason", ""),
        seen=form.get("seen", ""),
    )
    return redirect(f"/console/approvals/{approval_id}", 303)


@blueprint.route("/approvals/<approval_id>/refuse", methods=["POST"])
@required("operator")
def refuse_at_console(approval_id: str) -> ResponseReturnValue:
    """Refuse what was asked for, or take back what one asked for oneself."""
    approving.refuse(
        two_person(),
        known_form(approval_id, APPROVAL),
        actor=person().actor,
        reason=posted().get("reason", ""),
    )
    return redirect(f"/console/approvals/{approval_id}", 303)


def _amount(approval: Approval) -> str:
    return str(Money(approval.amount_minor, approval.currency))
