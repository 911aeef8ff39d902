"""A card of the vault at every gateway that takes cards by number: how it ends, and what is kept of the card nowhere."""

from __future__ import annotations

from aegis_worker.domain.outcomes import ActionRequired, Approved, Declined, NotSent, Unknown
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.errors import VaultUnavailable

from ..numbered import CODE, NUMBER, tells_code
from ..till import Till

_SHOP = "https://shop.test/back"


def test_charged_by_number(till: Till) -> None:
    paid = till.pay_by_number()
    assert isinstance(paid.outcome, Approved)
    assert till.captured(paid) == [1999]


def test_held_by_number(till: Till) -> None:
    paid = till.pay_by_number(hold=True)
    assert isinstance(paid.outcome, Approved)
    assert not paid.outcome.captured


def test_declined_by_number(till: Till) -> None:
    paid = till.pay_by_number(till.subject.cards["insufficient_funds"])
    assert isinstance(paid.outcome, Declined)
    assert paid.outcome.code == "insufficient_funds"
    assert till.captured(paid) == []


def test_three_d_secure_by_number(till: Till) -> None:
    paid = till.pay_by_number(till.subject.cards["three_d_secure"], return_url=_SHOP)
    assert isinstance(paid.outcome, ActionRequired)
    assert till.captured(paid) == []


def test_a_charge_by_number_whose_answer_is_lost_is_made_once(till: Till) -> None:
    till.emulator.set_faults(fail_share=1.0, fail_script="drop_once")
    paid = till.pay_by_number()
    till.emulator.set_faults()
    assert isinstance(paid.outcome, Unknown)
    again = till.again(paid) if not till.can_be_asked else till.ask(paid)
    assert isinstance(again, Approved)
    assert till.captured(paid) == [1999]


def test_a_charge_by_number_that_never_arrived_is_repeated_with_the_same_body(till: Till) -> None:
    till.emulator.set_faults(fail_share=1.0, fail_script="drop_nocharge")
    paid = till.pay_by_number()
    till.emulator.set_faults()
    assert isinstance(paid.outcome, Unknown)
    assert not isinstance(till.ask(paid), Approved)
    assert isinstance(till.again(paid), Approved)
    assert till.captured(paid) == [1999]


def test_a_repeat_without_the_security_code_is_not_sent(till: Till) -> None:
    till.emulator.set_faults(fail_share=1.0, fail_script="drop_nocharge")
    paid = till.pay_by_number()
    till.emulator.set_faults()
    till.drawer.forget_code()
    before = till.emulator.calls_so_far()
    again = till.again(paid)
    assert isinstance(again, Declined)
    assert again.code == "security_code_gone"
    assert till.emulator.calls_so_far() == before
    assert till.captured(paid) == []


def test_a_silent_vault(till: Till) -> None:
    till.drawer.problem = VaultUnavailable("connection refused")
    paid = till.pay_by_number()
    assert isinstance(paid.outcome, NotSent)
    assert paid.outcome.kind is NotSentKind.VAULT
    assert till.captured(paid) == []


def test_neither_number_nor_code_is_kept_anywhere(till: Till) -> None:
    paid = till.pay_by_number()
    assert isinstance(paid.outcome, Approved)
    assert till.noted
    for noted in till.noted:
        assert NUMBER not in noted.told
        assert not tells_code(noted.told)
    emulator = till.emulator
    shown = [emulator.call("GET", f"/_sandbox/{page}").body for page in ("exchanges", "ledger", "")]
    for kept in (*shown, *emulator.files):
        assert NUMBER.encode() not in kept
        assert f"cvc%5D={CODE}".encode() not in kept
