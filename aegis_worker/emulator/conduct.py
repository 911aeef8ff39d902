"""How an instance treats its callers: what a call follows, whom it turns away, when a key's first answer is out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from .choosing import Asked, Choice, Reach
from .payments import Payment
from .replies import Reply
from .script_table import OK
from .scripts import Effect, Script
from .sending import NOT_SAID, Wording, sent
from .tokens import UnknownScript
from .transaction import Transaction

_CHARGING = frozenset({"create", "authenticate", "charge"})


class Conduct:
    """The same for every wire format, in its own words (`wording`). Safe from several threads."""

    def __init__(self, reach: Reach, wording: Wording) -> None:
        self.choice, self.wording = Choice(reach), wording

    def script_for(self, tx: Transaction, payment: Payment, asked: Asked) -> Script:
        """The script that this call follows; OK where none acts on it. Raises Refusal for a header that names none.

        The payment remembers a script that is not its token's, and what becomes of its webhooks.
        """
        try:
            chosen = self.choice.chosen(asked)
        except UnknownScript as problem:
            raise self.wording.misspelt(str(problem)) from problem
        if chosen.telling or chosen.given:
            payment.webhook_script = chosen.telling or payment.webhook_script
            if asked.operation in _CHARGING:
                payment.given_script = chosen.given or payment.given_script
            tx.update(payment)
        script = chosen.script
        merchant = payment.merchant_payment_id or payment.reference
        return script if not script.once or tx.is_first_call(merchant, script.name, asked.operation) else OK

    def answered(self, call: Callable[[], Reply]) -> Reply:
        """The answer to a POST, later by the latency of the instance's faults: that of `call`, unless all are refused."""
        latency_s = self.choice.faults.now.latency_ms / 1000
        reply = self._turned_away() or call()
        return replace(reply, after_s=reply.after_s + latency_s)

    def _turned_away(self) -> Reply | None:
        if self.choice.faults.now.refuse_all:
            return self.wording.unavailable()
        if self.choice.faults.now.retry_after_s:
            return self.wording.too_many(self.choice.faults.now.retry_after_s)
        return None

    def ready_at(self, now: float, going_out: Reply) -> float:
        """Until when the first call with a key is under way: until its answer has gone out, if there is one."""
        if going_out.wire in NOT_SAID:
            return now
        return now + going_out.after_s + self.choice.faults.now.latency_ms / 1000

    def looked_up(self, headers: Mapping[str, str], read: Callable[[], Reply]) -> Reply:
        """The answer of a look-up, under the script of its header or of the scenario."""
        try:
            script = self.choice.chosen(Asked("look_up", headers)).script
        except UnknownScript as problem:
            return self.wording.misspelt(str(problem)).reply
        if script is OK:
            return read()
        answer = None if script.effect is Effect.NOTHING else read()
        shown = sent(answer, script, self.wording)
        return replace(shown, after_s=shown.after_s + (answer.after_s if answer else 0.0))
