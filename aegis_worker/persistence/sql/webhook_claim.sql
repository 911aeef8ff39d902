-- Look at up to $1 due deliveries and take those whose turn it is, each for $2 seconds.
--
-- Deliveries are picked by merchant and endpoint, so that one with a long backlog takes no more than its share: $3 from one
-- endpoint and $4 from one merchant, but $5 from an endpoint in $6 and from its merchant. Endpoints in $7 and merchants in
-- $8 are left out.
--
-- A delivery behind an earlier one is put off until that one is due (or for half a second if that one is just being
-- posted). Otherwise every claim until then would look at it again.
--
-- OFFSET 0 and LIMIT keep the planner from reading whole tables. What was picked is looked up with IN, which hashes it; a
-- join with it went through all of it once for each row. A row is found again by its place (`at`), as in outbox_claim: one
-- that another worker has changed between this statement's snapshot and its lock counts as not picked.
WITH due AS MATERIALIZED (
    SELECT of_it.* FROM (
        SELECT merchant_id, bool_or(id = ANY ($6)) AS proven FROM webhook_endpoints
        WHERE disabled_at IS NULL AND merchant_id <> ALL ($8) GROUP BY merchant_id
    ) m CROSS JOIN LATERAL (
        SELECT d.* FROM webhook_endpoints w CROSS JOIN LATERAL (
            SELECT ctid AS at, payment_id FROM webhook_deliveries
            WHERE endpoint_id = w.id AND status = 'pending' AND due_at <= statement_timestamp()
            ORDER BY due_at, payment_id, seq
            LIMIT CASE WHEN w.id = ANY ($6) THEN $5 ELSE $3 END
            FOR UPDATE SKIP LOCKED
        ) d
        WHERE w.merchant_id = m.merchant_id AND w.disabled_at IS NULL AND w.id <> ALL ($7)
            AND (w.resting_until IS NULL OR w.resting_until <= statement_timestamp())
        LIMIT CASE WHEN m.proven THEN $5 ELSE $4 END
    ) of_it
    LIMIT $1
), pending AS (
    SELECT o.at, o.due_at, o.picked,
        max(
            CASE WHEN o.leased THEN least(o.due_at, statement_timestamp() + interval '500 ms') ELSE o.due_at END
        ) FILTER (WHERE NOT o.picked) OVER (PARTITION BY o.payment_id, o.endpoint_id ORDER BY o.seq) AS behind
    FROM (
        SELECT of_it.*, of_it.at IN (SELECT at FROM due) AS picked
        FROM (SELECT DISTINCT payment_id FROM due) one CROSS JOIN LATERAL (
            SELECT ctid AS at, payment_id, seq, endpoint_id, status, due_at, leased FROM webhook_deliveries
            WHERE payment_id = one.payment_id OFFSET 0
        ) of_it
        OFFSET 0
    ) o
    WHERE o.status = 'pending'
), taken AS (
    UPDATE webhook_deliveries o
    SET leased = p.behind IS NULL, lease_epoch = o.lease_epoch + (p.behind IS NULL)::int,
        due_at = CASE WHEN p.behind IS NULL
            THEN statement_timestamp() + make_interval(secs => $2) ELSE greatest(o.due_at, p.behind) END
    FROM (SELECT * FROM pending WHERE picked LIMIT $1) p
    WHERE o.ctid = p.at
    RETURNING o.id, o.payment_id, o.seq, o.endpoint_id, o.lease_epoch, o.tries, p.behind IS NULL AS claimed,
        coalesce(p.behind > p.due_at, true) AS moved
)
SELECT t.claimed, t.moved, t.id, t.endpoint_id, w.url, w.secret_version, t.lease_epoch, t.tries,
    trail.correlation_id, trail.traceparent, {published_columns}
FROM taken t JOIN webhook_endpoints w ON w.id = ANY (ARRAY[t.endpoint_id]) {join_published} {trail_of_event}
ORDER BY t.payment_id, t.endpoint_id, t.seq
