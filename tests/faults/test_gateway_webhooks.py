"""What gateways tell us: a hint, whenever it comes and however often; asking decides."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import threading
import time
import uuid
from datetime import timedelta
from functools import partial

import pytest
from support.api_client import start_api
from support.payments import (
    accept_one,
    attempts_of,
    job_of,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.sandbox_process import API_KEY, eventually, running_sandbox
from support.scripted_gateway import ScriptedGateway
from werkzeug.serving import make_server

from aegis_worker.domain.gateway_events import Followed
from aegis_worker.domain.outcomes import Declined, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.engine import STUCK, wait_for
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.gateways.sandbox.webhook import SIGNATURE_HEADER
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.pipeline.run import run

SECRET = "whsec_of_the_sandbox"
PATH = "/v1/gateways/sandbox_a/webhooks"


def adapter(url="http://127.0.0.1:1", **config):
    fields = {"webhook_secrets": (SECRET,), "timeout_s": 2.0, **config}
    return LoadedGateway(SandboxAdapter(GatewayConfig("sandbox_a", "sandbox", url, API_KEY, **fields)))


@pytest.fixture
def api(database_url):
    return start_api(database_url, adapter())


def event_about(payment_id, kind="payment.succeeded", step="p1", event_id=None, charge_id="spay_1"):
    charge = {"id": charge_id, "reference": f"{payment_id}-{step}", "status": kind.partition(".")[2]}
    return {"id": event_id or f"sevt_{uuid.uuid4().hex}", "type": kind, "created": 0, "data": charge}


def send(api, event, *, secret=SECRET, age_s=0, path=PATH):
    body = json.dumps(event).encode()
    at = int(time.time()) - age_s
    signature = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    headers = {SIGNATURE_HEADER: f"t={at},v1={signature}"}
    return api.app.test_client().post(path, data=body, headers=headers)


def tell(api, event, **how):
    """Send the event, and let a worker follow it."""
    answer = send(api, event, **how)
    follow(FollowParts(api.database, api.gateways, api.told))
    return answer


def in_doubt(database, **config):
    """A payment whose charge at the sandbox is in doubt."""
    payment_id = accept_one(database, key=f"key-{uuid.uuid4().hex}").payment.id
    run(
        pipeline(database, ScriptedGateway("sandbox_a", lambda request: Unknown("reset"), **config)),
        "payments",
    )
    return payment_id


def let_pass(database, seconds):
    """Let time pass for the events that wait."""
    times = "due_at = due_at - %(age)s, waits_until = waits_until - %(age)s"
    age = {"age": timedelta(seconds=seconds)}
    database.run(lambda connection: connection.exec_driver_sql(f"UPDATE gateway_events SET {times}", age))


def kept(database):
    return rows(database, "SELECT * FROM gateway_events ORDER BY received_at")


class Listening:
    """The API on a port, for a sandbox that sends its webhooks to it."""

    def __init__(self, app):
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}{PATH}"

    def __enter__(self):
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.mark.row(42)
def test_a_webhook_that_comes_before_our_commit_converges_without_a_second_send(database, api, tmp_path):
    with Listening(api.app) as listening:
        flags = ("--webhook-url", listening.url, "--webhook-secret-env", "HOOK_SECRET")
        with running_sandbox(tmp_path, *flags, env={"HOOK_SECRET": SECRET}) as sandbox:
            gateway = adapter(sandbox.url)
            at_the_webhook = []

            def post_and_wait_for_the_webhook(request, done, *_):
                begin = partial(LoadedGateway.send, gateway, request)
                outcome = wait_for(begin, gateway.config.slowest_call_s, STUCK)
                assert eventually(lambda: bool(kept(database)))
                at_the_webhook.extend(attempts_of(database, request.payment_id))
                done(outcome)

            gateway.send = post_and_wait_for_the_webhook
            payment_id = accept_one(database).payment.id
            run_until_quiet(pipeline(database, gateway))
            charged = sandbox.booked(f"{payment_id}-p1")
            calls = sandbox.call("GET", "/_sandbox/calls").json["calls"]
    assert [attempt["status"] for attempt in at_the_webhook] == ["SENT"]
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "SUCCEEDED"]
    assert (len(charged), calls["POST /v1/charges"]) == (1, 1)
    assert job_of(database, payment_id)["status"] == "succeeded"


@pytest.mark.row(42)
def test_a_webhook_has_a_payment_in_doubt_asked_about_at_once(database, api, tmp_path):
    with running_sandbox(tmp_path) as sandbox:
        drop = {"type": "card", "token": "tok_drop"}
        payment_id = accept_one(database, payment_method=drop).payment.id
        parts = pipeline(database, adapter(sandbox.url))
        run(parts, "payments")
        run(parts, "verify")  # its time has not come
        assert payment_of(database, payment_id).certainty == "unknown"
        assert tell(api, event_about(payment_id)).status_code == 200
        run(parts, "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert api.told.queues == ["gateway_events", "verify"]


@pytest.mark.row(43)
def test_an_event_that_comes_again_is_kept_once_and_asks_once(database, api):
    payment_id = in_doubt(database)
    event = event_about(payment_id)
    answers = [tell(api, event) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [(row["payment_id"], row["status"]) for row in kept(database)] == [(payment_id, "followed")]
    assert api.told.queues == ["gateway_events", "verify"]


@pytest.mark.row(43)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_events_in_any_order_leave_what_the_gateway_says(database, api, tmp_path, seed):
    kinds = ["payment.created", "payment.pending", "payment.failed", "payment.succeeded", "payment.voided"]
    random.Random(seed).shuffle(kinds)
    with running_sandbox(tmp_path) as sandbox:
        drop = {"type": "card", "token": "tok_drop"}
        payment_id = accept_one(database, payment_method=drop).payment.id
        parts = pipeline(database, adapter(sandbox.url))
        run(parts, "payments")
        for kind in kinds:
            assert tell(api, event_about(payment_id, kind)).status_code == 200
            run(parts, "verify")
        assert payment_of(database, payment_id).state is State.SUCCESS
        assert len(sandbox.booked(f"{payment_id}-p1")) == 1
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "IN_DOUBT", "RESOLVED", "SUCCEEDED"]


@pytest.mark.row(43)
@pytest.mark.parametrize("wrong", [{"secret": "forged"}, {"age_s": 301}, {"age_s": -301}])
def test_a_forged_or_old_event_is_refused_and_changes_nothing(database, api, wrong):
    payment_id = accept_one(database).payment.id
    answer = send(api, event_about(payment_id), **wrong)
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_webhook")
    assert answer.content_type == "application/problem+json"
    assert (kept(database), api.told.queues) == ([], [])


@pytest.mark.row(43)
def test_an_unsigned_event_is_refused_and_so_is_every_event_without_a_secret(database, database_url, api):
    event = event_about(accept_one(database).payment.id)
    assert api.app.test_client().post(PATH, data=json.dumps(event)).status_code == 401
    without_secret = start_api(database_url, adapter(webhook_secrets=()))
    assert send(without_secret, event, secret="").status_code == 401
    assert kept(database) == []


def test_an_event_about_a_payment_that_is_not_ours_is_kept_and_answered(database, api):
    for reference in ("pay_" + "0" * 32, "another-system's order", ""):
        assert tell(api, event_about(reference)).status_code == 200
    assert [(row["payment_id"], row["status"]) for row in kept(database)] == [(None, "waiting")] * 3
    assert rows(database, "SELECT id FROM jobs") == []


def test_an_event_that_tells_what_we_know_asks_nobody(database, api, tmp_path):
    with running_sandbox(tmp_path) as sandbox:
        payment_id = accept_one(database).payment.id
        run(pipeline(database, adapter(sandbox.url)), "payments")
    charge_id = payment_of(database, payment_id).gateway_ref
    for kind in ("payment.created", "payment.pending", "payment.succeeded"):
        tell(api, event_about(payment_id, kind, charge_id=charge_id))
    assert {row["status"] for row in kept(database)} == {"no_news"}
    assert [job["operation"] for job in rows(database, "SELECT operation FROM jobs")] == ["process"]
    assert tell(api, event_about(payment_id, "payment.voided")).status_code == 200
    assert [job["operation"] for job in rows(database, "SELECT operation FROM jobs ORDER BY id")] == [
        "process",
        "sync",
    ]


@pytest.mark.row(44)
def test_a_webhook_about_a_late_charge_has_it_found_and_refunded(database, api, tmp_path):
    with running_sandbox(tmp_path) as sandbox:
        gateway = adapter(sandbox.url)
        payment_id = accept_one(database).payment.id
        gateway.send = partial(refused_by, gateway)
        parts = pipeline(database, gateway)
        run(parts, "payments")
        assert payment_of(database, payment_id).state is State.FAILURE
        assert tell(api, event_about(payment_id)).status_code == 200
        for queue in ("verify", "payments", "verify"):
            run(parts, queue)
        (charge,) = sandbox.booked(f"{payment_id}-p1")
    assert charge["refunded"] == charge["captured"] == 1999
    assert story_of(database, payment_id)[-2:] == ["DUPLICATE_DETECTED", "DUPLICATE_REVERSED"]


def refused_by(gateway, request, done, may_leave, note):
    """A gateway that charges and tells that it declined."""
    charges = request.operation == "process"
    told = (lambda _: done(Declined("stolen_card", "43"))) if charges else done
    LoadedGateway.send(gateway, request, told, may_leave, note)


def test_an_event_about_a_charge_that_was_given_up_has_that_one_asked_about(database, api):
    first = ScriptedGateway("sandbox_a", lambda request: Declined("issuer_unavailable", "91"))
    second = ScriptedGateway("b", lambda request: Unknown("reset"))
    payment_id = accept_one(database).payment.id
    run(pipeline(database, first, second), "payments")
    assert payment_of(database, payment_id).state is State.PROCESSING
    tell(api, event_about(payment_id))
    due = rows(database, "SELECT number, recheck_at <= now() AS due FROM attempts ORDER BY number")
    assert due == [{"number": 1, "due": True}, {"number": 2, "due": None}]


def test_an_event_about_a_charge_that_was_given_up_has_it_looked_for_anew_where_another_gateway_paid(
    database, api
):
    first = ScriptedGateway("sandbox_a", lambda request: Declined("issuer_unavailable", "91"))
    payment_id = accept_one(database).payment.id
    run(pipeline(database, first, ScriptedGateway("b")), "payments")
    assert payment_of(database, payment_id).gateway == "b"
    no_looks_left = "UPDATE attempts SET recheck_at = NULL, rechecks = 5"
    database.run(lambda connection: connection.exec_driver_sql(no_looks_left))
    tell(api, event_about(payment_id))
    looks = rows(database, "SELECT rechecks, recheck_at <= now() AS due FROM attempts ORDER BY number")
    assert looks == [{"rechecks": 0, "due": True}, {"rechecks": 5, "due": None}]
    assert (job_of(database, payment_id)["operation"], [row["status"] for row in kept(database)]) == (
        "sync",
        ["followed"],
    )


def test_an_event_of_a_gateway_that_the_payment_was_never_sent_to_is_kept_and_asks_nobody(database, api):
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("b", lambda request: Unknown("reset"))), "payments")
    before = job_of(database, payment_id)["run_at"]
    for step in ("p1", "i1", "p2"):
        assert tell(api, event_about(payment_id, "payment.failed", step)).status_code == 200
    assert [(row["payment_id"], row["status"]) for row in kept(database)] == [(payment_id, "no_news")] * 3
    assert [job["run_at"] for job in rows(database, "SELECT run_at FROM jobs")] == [before]


def test_an_event_about_a_second_charge_under_our_reference_is_news(database, api, tmp_path):
    with running_sandbox(tmp_path) as sandbox:
        payment_id = accept_one(database).payment.id
        run(pipeline(database, adapter(sandbox.url)), "payments")
    tell(api, event_about(payment_id, charge_id="another"))
    assert [row["status"] for row in kept(database)] == ["followed"]


def test_an_event_that_shows_other_money_than_ours_is_news(database, api, tmp_path):
    with running_sandbox(tmp_path) as sandbox:
        payment_id = accept_one(database).payment.id
        run(pipeline(database, adapter(sandbox.url)), "payments")
    for amount, currency, jobs in ((1999, "USD", 1), (19990, "USD", 2), (1999, "EUR", 2)):
        event = event_about(payment_id, charge_id=payment_of(database, payment_id).gateway_ref)
        event["data"] |= {"amount": amount, "currency": currency}
        assert tell(api, event).status_code == 200
        assert len(rows(database, "SELECT id FROM jobs")) == jobs


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"sevt_1","id":"sevt_2","type":"payment.failed","data":{"id":"s","reference":"r"}}',
        b'{"id":"sevt_1","type":"payment.failed","data":{"id":"s","reference":"r","reference":"q"}}',
        b'{"id":"sevt_1","type":"payment.failed","data":{"id":"s","reference":["r"]}}',
        b'{"id":"sevt_1","type":"payment.failed","data":{"id":true,"reference":"r"}}',
        b'{"id":"sevt_1","type":"payment.failed","data":{"id":"s","reference":"r","amount":"1999","currency":"USD"}}',
        b'{"id":"sevt_1","type":"payment.failed","data":{"id":"s","reference":"r","amount":NaN}}',
        rb'{"id":"\ud800","type":"payment.failed","data":{"id":"s","reference":"r"}}',
        b'{"id":"' + b"x" * 300 + b'","type":"payment.failed","data":{"id":"s","reference":"r"}}',
        b'{"id":"sevt_1","type":"payment.failed","data":' + b"[" * 60_000 + b"]" * 60_000 + b"}",
        b'[{"id":"sevt_1"}]',
        b"\xff",
    ],
)
def test_a_signed_event_that_says_two_things_or_has_a_wrong_type_is_refused(database, api, body):
    at = int(time.time())
    signature = hmac.new(SECRET.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    headers = {SIGNATURE_HEADER: f"t={at},v1={signature}"}
    answer = api.app.test_client().post(PATH, data=body, headers=headers)
    assert 400 <= answer.status_code < 500
    assert kept(database) == []


def test_a_gateway_of_no_configured_name_is_not_found(api):
    answer = send(api, event_about("pay_1"), path="/v1/gateways/nobody/webhooks")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_body_beyond_the_limit_is_refused_unread(api):
    answer = api.app.test_client().post(PATH, data=b"x" * (api.settings.max_body_bytes + 1))
    assert (answer.status_code, answer.json["code"]) == (413, "payload_too_large")


def test_the_event_of_a_signed_stranger_that_can_not_be_kept_is_refused(database, api):
    for event_id in ("", "x" * 256, "nul\x00"):
        event = event_about("pay_1") | {"id": event_id}
        assert send(api, event).status_code == 401
    assert kept(database) == []


def toys_event(payment_id, *, gateway_ref=None, reference=True, **fields):
    event = {"event_id": f"e_{uuid.uuid4().hex}", "kind": "payment.failed", "gateway_ref": gateway_ref}
    return event | {"reference": f"{payment_id}-p1" if reference else None} | fields


def post(api, *events, path=PATH):
    body = b"\n".join(json.dumps(event).encode() for event in events)
    return api.app.test_client().post(path, data=body)


def followed(api):
    return follow(FollowParts(api.database, api.gateways, api.told))


@pytest.fixture
def toy_api(database_url):
    return start_api(database_url, ScriptedGateway("sandbox_a", account="acct_1"))


def test_every_event_of_a_body_is_kept_and_followed_by_itself(database, toy_api):
    first, second = (in_doubt(database, account="acct_1") for _ in range(2))
    events = [toys_event(first), toys_event(second), toys_event("pay_" + "0" * 32)]
    assert post(toy_api, *events, events[0]).status_code == 200
    assert followed(toy_api) == {"claimed": 3, "followed": 2, "waiting": 1}
    assert {row["payment_id"] for row in kept(database)} == {first, second, None}
    assert len({row["body_id"] for row in kept(database)}) == 1
    assert len(rows(database, "SELECT id FROM gateway_event_bodies")) == 1


def test_a_body_with_an_event_that_can_not_be_kept_is_refused_whole(database, toy_api):
    payment_id = in_doubt(database, account="acct_1")
    assert post(toy_api, toys_event(payment_id), toys_event(payment_id, event_id="")).status_code == 401
    assert kept(database) == []


def test_the_web_process_waits_for_no_payment_and_asks_nobody(database, toy_api):
    payment_id = in_doubt(database, account="acct_1")
    before = job_of(database, payment_id)
    with database.engine.begin() as other:
        other.exec_driver_sql("SELECT FROM payments FOR UPDATE")
        other.exec_driver_sql("SELECT FROM jobs FOR UPDATE")
        other.exec_driver_sql("SELECT FROM attempts FOR UPDATE")
        assert post(toy_api, toys_event(payment_id)).status_code == 200
    assert job_of(database, payment_id)["run_at"] == before["run_at"]
    assert toy_api.told.queues == ["gateway_events"]


def test_an_event_that_comes_before_anything_of_its_payment_is_followed_when_there_is_something(
    database, api
):
    accepted = accept_one(database).payment.id
    tell(api, event_about(accepted))
    (waiting,) = kept(database)
    assert (waiting["status"], waiting["payment_id"]) == ("waiting", accepted)
    lost = ScriptedGateway("sandbox_a", lambda request: Unknown("reset"))
    run(pipeline(database, lost), "payments")
    let_pass(database, 5)
    assert followed(api) == {"claimed": 1, "followed": 1}
    assert job_of(database, accepted)["due_in_s"] <= 0


def test_an_event_that_shows_the_gateways_reference_alone_finds_its_payment_when_that_is_known(
    database, toy_api
):
    event = toys_event("", gateway_ref="ch_1", reference=False, kind="dispute.opened")
    post(toy_api, event)
    assert followed(toy_api) == {"claimed": 1, "waiting": 1}
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("sandbox_a", account="acct_1")), "payments")
    assert [attempt["gateway_ref"] for attempt in attempts_of(database, payment_id)] == ["ch_1"]
    let_pass(database, 5)
    assert followed(toy_api) == {"claimed": 1, "followed": 1}
    assert [row["payment_id"] for row in kept(database)] == [payment_id]


def test_an_event_whose_payment_does_not_come_within_a_day_stays_unmatched_until_it_is_retried(database, api):
    tell(api, event_about("pay_" + "0" * 32))
    tries = 1
    while kept(database)[0]["status"] == "waiting":
        (due,) = rows(
            database, "SELECT extract(epoch FROM due_at - now())::float8 AS in_s FROM gateway_events"
        )
        assert due["in_s"] <= 1800
        let_pass(database, due["in_s"])
        followed(api)
        tries += 1
    assert 48 <= tries <= 70
    (row,) = kept(database)
    assert (row["status"], row["due_at"], row["reason"]) == ("unmatched", None, "it names no payment of ours")
    assert followed(api) == {"claimed": 0}


def test_an_event_of_the_other_mode_or_of_another_account_is_kept_and_asks_nobody(database, toy_api):
    payment_id = in_doubt(database, account="acct_1")
    for stranger in ({"mode": "live"}, {"account": "acct_2"}):
        assert post(toy_api, toys_event(payment_id, **stranger)).status_code == 200
    assert followed(toy_api) == {"claimed": 0}
    assert {row["status"] for row in kept(database)} == {"foreign"}
    post(toy_api, toys_event(payment_id, mode="test", account="acct_1"))
    assert followed(toy_api) == {"claimed": 1, "followed": 1}


@pytest.mark.parametrize("stranger", [{"mode": "live"}, {"account": "acct_2"}])
def test_a_strangers_event_that_pretends_to_be_ours_does_not_keep_ours_out(database, toy_api, stranger):
    payment_id = in_doubt(database, account="acct_1")
    ours = toys_event(payment_id, event_id="e_1")
    for event in (ours | stranger | {"kind": "forged"}, ours, ours | stranger, ours):
        assert post(toy_api, event).status_code == 200
    (row,) = kept(database)
    assert (row["status"], row["reason"], row["kind"]) == ("waiting", None, "payment.failed")
    assert followed(toy_api) == {"claimed": 1, "followed": 1}
    post(toy_api, ours | stranger)
    assert [row["status"] for row in kept(database)] == ["followed"]


def test_an_event_about_a_payment_of_the_other_mode_is_kept_as_nobodys(database, toy_api):
    payment_id = in_doubt(database, account="acct_1")
    live = start_api(
        toy_api.settings.database_url, ScriptedGateway("sandbox_a", account="acct_1", mode="live")
    )
    post(live, toys_event(payment_id))
    assert followed(live) == {"claimed": 1, "no_news": 1}
    assert [row["payment_id"] for row in kept(database)] == [None]


def test_an_event_about_a_call_that_another_account_made_asks_nobody(database, toy_api):
    payment_id = in_doubt(database, account="acct_before")
    post(toy_api, toys_event(payment_id))
    assert followed(toy_api) == {"claimed": 1, "no_news": 1}


@pytest.mark.row(74)
def test_a_worker_that_dies_with_an_event_in_hand_leaves_it_to_another(database, api):
    payment_id = in_doubt(database)
    send(api, event_about(payment_id))
    (held,) = database.run(partial(gateway_event_rows.claim, limit=10))
    assert followed(api) == {"claimed": 0}
    let_pass(database, 61)
    assert followed(api) == {"claimed": 1, "followed": 1}
    # The first one was only asleep. Whatever it would write now is dropped.
    late = Followed(held, "unmatched", "late")
    assert database.run(partial(gateway_event_rows.settle, followed=[late])) == 0
    assert [row["status"] for row in kept(database)] == ["followed"]


def test_the_body_is_kept_as_it_came_and_sealed(database, api):
    event = event_about(in_doubt(database)) | {
        "client_secret": "pi_1_secret_of_the_payer",
        "name": "Asha Rao",
    }
    send(api, event)
    (row,) = rows(database, "SELECT sealed FROM gateway_event_bodies")
    assert b"secret_of_the_payer" not in bytes(row["sealed"])
    opened = database.run(
        partial(gateway_event_rows.body_of, ring=api.ring, gateway="sandbox_a", event_id=event["id"])
    )
    assert json.loads(opened) == event


def test_card_data_in_a_body_is_not_even_kept_sealed(database, api):
    event = event_about(in_doubt(database)) | {"note": "4111 1111 1111 1111"}
    send(api, event)
    opened = database.run(
        partial(gateway_event_rows.body_of, ring=api.ring, gateway="sandbox_a", event_id=event["id"])
    )
    assert b"4111" not in opened
    assert event["id"].encode() in opened


def test_a_challenge_is_answered_as_its_gateway_wants(api, toy_api):
    client = toy_api.app.test_client()
    answer = client.get(f"{PATH}?challenge=abc")
    assert (answer.status_code, answer.text) == (200, "sandbox_a|abc")
    assert answer.content_type.startswith("text/plain")
    assert client.get(PATH).status_code == 401
    assert client.get("/v1/gateways/nobody/webhooks?challenge=abc").status_code == 404


def test_a_gateway_that_sends_no_challenges_answers_none(api):
    answer = api.app.test_client().get(f"{PATH}?challenge=abc")
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_webhook")
