-- Claim up to $2 jobs of queue $1 for worker $5, each for $4 seconds under a raised fence. $3: the merchant that was served
-- last. $6: the `run_at` at which to begin.
--
-- `turns` holds the first due job of each merchant that has one, found by one step in the index for each: first the
-- merchants after the one that was served last (`ahead`), then those up to it (`behind`), and no more merchants than jobs
-- are wanted. Each merchant gets an equal share (`fair`); the rest goes to the oldest jobs of all (`oldest`). The inner
-- LIMIT is there for the planner, which does not know $2 when it makes the plan.
WITH RECURSIVE ahead AS (
    SELECT 0 AS place, $3 AS merchant_id, NULL::timestamptz AS run_at
    UNION ALL
    SELECT turn.place + 1, next.* FROM ahead turn CROSS JOIN LATERAL (
        SELECT merchant_id, run_at FROM jobs
        WHERE queue = $1 AND merchant_id > turn.merchant_id AND run_at >= $6
            AND {is_due}
        ORDER BY queue, merchant_id, run_at LIMIT 1
    ) next
    WHERE turn.place < $2
), behind AS (
    SELECT (SELECT max(place) FROM ahead) AS place, '' AS merchant_id, NULL::timestamptz AS run_at
    UNION ALL
    SELECT turn.place + 1, next.* FROM behind turn CROSS JOIN LATERAL (
        SELECT merchant_id, run_at FROM jobs
        WHERE queue = $1 AND merchant_id > turn.merchant_id AND merchant_id <= $3 AND run_at >= $6
            AND {is_due}
        ORDER BY queue, merchant_id, run_at LIMIT 1
    ) next
    WHERE turn.place < $2
), turns AS MATERIALIZED (
    SELECT * FROM ahead WHERE run_at IS NOT NULL UNION ALL SELECT * FROM behind WHERE run_at IS NOT NULL
), fair AS MATERIALIZED (
    SELECT due.at, due.left_behind FROM turns CROSS JOIN LATERAL (
        SELECT at, left_behind FROM (
            SELECT ctid AS at, status = 'running' AS left_behind FROM jobs
            WHERE queue = $1 AND merchant_id = turns.merchant_id AND run_at >= turns.run_at
                AND {is_due}
            ORDER BY queue, merchant_id, run_at LIMIT {most} FOR UPDATE SKIP LOCKED
        ) head LIMIT (SELECT $2 / count(*) FROM turns)
    ) due
), oldest AS MATERIALIZED (
    SELECT at, left_behind FROM (
        SELECT ctid AS at, status = 'running' AS left_behind FROM jobs
        WHERE queue = $1 AND run_at >= $6 AND {is_due}
        ORDER BY queue, run_at LIMIT {most} FOR UPDATE SKIP LOCKED
    ) head LIMIT (SELECT CASE WHEN count(*) < $2 THEN $2 ELSE 0 END FROM fair)
), claimed AS (
    UPDATE jobs j
    SET status = 'running', lease_epoch = j.lease_epoch + 1,
        claim_count = j.claim_count + (pick.left_behind AND coalesce(j.begun_epoch = j.lease_epoch, false))::int,
        claimed_by = $5, lease_until = clock_timestamp() + make_interval(secs => $4),
        updated_at = clock_timestamp()
    FROM (
        SELECT at, left_behind FROM fair
        UNION ALL SELECT at, left_behind FROM oldest WHERE at NOT IN (SELECT at FROM fair) LIMIT $2
    ) pick
    WHERE j.ctid = pick.at
    RETURNING j.id AS job_id, j.operation, j.lease_epoch, j.claim_count, j.request, j.payment_id, j.correlation_id,
        j.traceparent,
        pick.left_behind, extract(epoch FROM clock_timestamp() - j.created_at)::float8 AS age_s
)
SELECT (SELECT merchant_id FROM turns ORDER BY place DESC LIMIT 1) AS last_merchant,
    (
        SELECT run_at FROM jobs
        WHERE queue = $1 AND run_at >= $6 AND {is_due}
        ORDER BY queue, run_at LIMIT 1
    ) AS oldest,
    c.job_id, c.operation, c.lease_epoch, c.claim_count, c.left_behind, c.request, c.age_s,
    c.correlation_id, c.traceparent,
    extract(epoch FROM clock_timestamp())::float8 AS time_of_day_s, p.*,
    CASE WHEN p.has_payer THEN (SELECT details FROM payer_details WHERE payment_id = p.id) END AS payer,
    CASE WHEN c.operation = 'sync' THEN ({entities_as_json}) END AS entities,
    ({attempts_as_json}) AS attempts
FROM claimed c JOIN payments p ON p.id = ANY (ARRAY[c.payment_id]) AND p.frozen_at IS NULL
