-- Write $2 changes, given as a JSON list in $1; returns those whose fence holds.
--
-- `held` passes on all that came with a change that stands, so the rest joins only rows of tables, by their keys. LIMIT
-- and CASE are for the planner. It takes any list for a hundred rows and guesses that next to no jobs run, so without them
-- it would read all jobs instead of looking up a few. `referred` fails for a reference of another payment, because it sets
-- payment_id to NULL, which the column forbids. It leaves a reference alone that is the payment's own already. A job that
-- was given a confirm meanwhile (`confirm_seen` is not its latest), or whose payment was cancelled, doesn't wait. The list
-- leaves out what is null, false or 0, because reading it takes a good part of the time: hence coalesce.
WITH held AS (
    UPDATE jobs j
    SET last_change = c.number, status = c.job_status, queue = c.queue, reason = c.reason, review_kind = c.review_kind,
        result = coalesce(c.result, j.result),
        run_at = CASE c.job_status
            WHEN 'waiting' THEN clock_timestamp() + make_interval(secs =>
                CASE WHEN (j.request->>'confirm')::int IS DISTINCT FROM c.confirm_seen
                    OR (c.cancelling IS NOT TRUE AND j.request ? 'cancel') THEN 0 ELSE c.run_in_s END)
            ELSE j.run_at END,
        lease_until = CASE c.job_status
            WHEN 'running' THEN clock_timestamp() + make_interval(secs => c.lease_s) END,
        claim_count = CASE WHEN c.progress THEN 0 ELSE j.claim_count END, begun_epoch = c.lease_epoch,
        updated_at = clock_timestamp(),
        finished_at = CASE WHEN c.job_status IN ('succeeded', 'failed') THEN clock_timestamp() END
    FROM (SELECT * FROM json_to_recordset($1) AS given(
        number bigint, job_id text, lease_epoch int, lease_s float8, job_status text, queue text, run_in_s float8,
        reason text, result jsonb, progress boolean,
        payment_id text, version_before int, version int, state text, authorized_minor bigint, captured_minor bigint,
        refunded_minor bigint, capturing_minor bigint, refunding_minor bigint, closing boolean, cancelling boolean,
        capture_before timestamptz, gateway text,
        gateway_ref text, certainty text, last_error jsonb, next_action jsonb, screening jsonb, events json, answered json, opened json,
        confirm_seen int, follow_up json, review_kind text) LIMIT $2) c
    WHERE j.id = ANY (ARRAY[c.job_id]) AND c.lease_epoch = CASE j.status WHEN 'running' THEN j.lease_epoch END
        AND j.last_change IS DISTINCT FROM c.number
        AND (SELECT frozen_at FROM payments WHERE id = c.payment_id) IS NULL
    RETURNING c.*, j.merchant_id, j.mode, j.correlation_id, j.traceparent
), moved AS (
    UPDATE payments p
    SET state = h.state, version = h.version, authorized_minor = coalesce(h.authorized_minor, 0),
        captured_minor = coalesce(h.captured_minor, 0), refunded_minor = coalesce(h.refunded_minor, 0),
        capturing_minor = coalesce(h.capturing_minor, 0), refunding_minor = coalesce(h.refunding_minor, 0),
        closing = coalesce(h.closing, false), capture_before = h.capture_before,
        hold_due_at = CASE WHEN h.state = 'AUTHORIZED'
            THEN coalesce(p.hold_due_at, h.capture_before - interval '24 hours') END,
        gateway = h.gateway,
        gateway_ref = h.gateway_ref, certainty = h.certainty, last_error = h.last_error,
        next_action = h.next_action, screening = h.screening, updated_at = clock_timestamp()
    FROM held h
    WHERE p.id = ANY (ARRAY[h.payment_id]) AND p.version = h.version_before AND h.version > h.version_before
    RETURNING p.id, p.merchant_id, h.version_before, h.version, h.events
), told AS (
    INSERT INTO payment_events (payment_id, seq, type, data)
    SELECT m.id, e.seq, e.type, e.data
    FROM moved m CROSS JOIN LATERAL json_to_recordset(m.events) AS e(seq int, type text, data jsonb)
), to_deliver AS (
    INSERT INTO outbox (payment_id, seq, merchant_id)
    SELECT m.id, seq, m.merchant_id
    FROM moved m CROSS JOIN LATERAL generate_series(m.version_before + 1, m.version) seq
), answered AS (
    UPDATE attempts a
    SET status = n.status, gateway_ref = coalesce(n.gateway_ref, a.gateway_ref), outcome = n.outcome,
        latency_ms = coalesce(n.latency_ms, a.latency_ms),
        answered_at = CASE WHEN n.status <> 'SENT' THEN clock_timestamp() END,
        sends = a.sends + coalesce(n.sent_again::int, 0), checks = a.checks + coalesce(n.asked::int, 0),
        last_checked_at = CASE WHEN n.asked THEN clock_timestamp() ELSE a.last_checked_at END,
        not_found_count = CASE WHEN n.sent_again THEN 0 ELSE a.not_found_count + coalesce(n.not_found::int, 0) END,
        first_not_found_at = CASE WHEN n.sent_again THEN NULL
            WHEN n.not_found THEN coalesce(a.first_not_found_at, clock_timestamp()) ELSE a.first_not_found_at END,
        recheck_at = coalesce(clock_timestamp() + make_interval(secs => n.recheck_in_s),
            CASE WHEN n.status <> 'APPROVED' OR a.status = 'APPROVED' THEN a.recheck_at END)
    FROM held h CROSS JOIN LATERAL json_to_recordset(h.answered) AS n(
        operation text, number int, status text, gateway_ref text, outcome jsonb,
        latency_ms float8, asked boolean, sent_again boolean, not_found boolean, recheck_in_s float8)
    WHERE h.answered IS NOT NULL
        AND a.payment_id = ANY (ARRAY[h.payment_id]) AND a.operation = n.operation AND a.number = n.number
    RETURNING a.payment_id, a.gateway, a.gateway_ref
), referred AS (
    INSERT INTO gateway_references AS r (gateway, gateway_ref, payment_id)
    SELECT gateway, gateway_ref, payment_id FROM answered WHERE gateway_ref IS NOT NULL
    ON CONFLICT (gateway, gateway_ref) DO UPDATE SET payment_id = NULL WHERE r.payment_id <> excluded.payment_id
), opened AS (
    INSERT INTO attempts (payment_id, operation, number, gateway, account, gateway_key, request_hash, status,
        decision, lease_epoch)
    SELECT h.payment_id, o.operation, o.number, o.gateway, o.account, o.gateway_key, o.request_hash, 'SENT',
        o.decision, h.lease_epoch
    FROM held h CROSS JOIN LATERAL json_to_record(h.opened) AS o(
        operation text, number int, gateway text, account text, gateway_key text, request_hash text, decision jsonb)
    WHERE h.opened IS NOT NULL
), following AS (
    INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, request, correlation_id, traceparent)
    SELECT f.id, h.payment_id, h.merchant_id, h.mode, f.operation, f.queue, 'queued', f.request, h.correlation_id,
        h.traceparent
    FROM held h CROSS JOIN LATERAL json_to_record(h.follow_up) AS f(
        id text, operation text, queue text, request jsonb)
    WHERE h.follow_up IS NOT NULL
)
SELECT h.job_id, h.payment_id, h.version = h.version_before OR h.payment_id IN (SELECT id FROM moved) AS stands
FROM held h
