"""Hooks of our shop: a fraud check that asks a service of ours, and a mail for each payment that fails."""

import os
import smtplib
from email.message import EmailMessage

from msgspec import json

from aegis_worker.hooks import Action, EventFacts, FraudAnswer, FraudCheck, hookimpl
from aegis_worker.hooks.http import HttpAnswer, call

FRAUD_URL = os.environ["OUR_FRAUD_URL"]
SMTP_HOST, SMTP_PORT = (
    os.environ.get("OUR_SMTP_HOST", "127.0.0.1"),
    int(os.environ.get("OUR_SMTP_PORT", "25")),
)


@hookimpl
def fraud_check(context: FraudCheck) -> FraudAnswer:
    payment = context.payment
    asked = {"payment": payment.id, "amount": payment.amount_minor, "email": context.payer.get("email")}
    answer = call("POST", FRAUD_URL, asked, timeout_s=0.4, may_repeat=True)
    if not isinstance(answer, HttpAnswer) or answer.status != 200:
        raise ConnectionError  # the failure policy of this hook holds
    said = json.decode(answer.body)
    return FraudAnswer(Action(said["action"]), reason=said["reason"], score=said["score"])


@hookimpl
def listen(context: EventFacts) -> None:
    if context.type != "payment.failed":
        return
    mail = EmailMessage()
    mail["Message-ID"] = f"<{context.id}@our-shop.example>"  # the same each time that the event is told
    mail["From"], mail["To"] = "payments@our-shop.example", "desk@our-shop.example"
    mail["Subject"] = f"Payment {context.payment_id} failed: {context.data['last_error']['code']}"
    mail.set_content(
        f"{context.data['amount']} {context.data['currency']}, order {context.data['reference']}"
    )
    with smtplib.SMTP(SMTP_HOST, SMTP_PORT, timeout=4) as server:
        server.send_message(mail)
