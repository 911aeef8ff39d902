-- Write down what became of claimed deliveries: payments $1, numbers $2, endpoints $3, fences $4, statuses $5, seconds until
-- they are due $6, entries for their logs $7 (null for one that was not sent). A log keeps the last $8 entries.
--
-- Taking a delivery away from its holder raises the fence, so a leased row with the holder's epoch is still pending. A row
-- with that epoch that is not leased was settled by this same statement in an earlier try, whose COMMIT was not answered.
-- Deliveries that were put off behind one that is over now become due at once.
--
-- LATERAL, OFFSET 0 and LIMIT make the planner look each row up by its key.
WITH settled AS (
    UPDATE webhook_deliveries d
    SET status = s.status, leased = false, due_at = statement_timestamp() + make_interval(secs => s.delay_s),
        tries = d.tries + (s.entry IS NOT NULL)::int,
        delivered_at = CASE WHEN s.status = 'delivered' THEN statement_timestamp() END,
        log = CASE WHEN s.entry IS NULL THEN d.log
            ELSE CASE WHEN jsonb_array_length(d.log) < $8 THEN d.log ELSE d.log - 0 END
                || jsonb_build_array(jsonb_build_object('at', statement_timestamp()) || s.entry::jsonb) END
    FROM (
        SELECT given.*, kept.at
        FROM unnest($1, $2, $3, $4, $5, $6, $7)
            AS given(payment_id, seq, endpoint_id, lease_epoch, status, delay_s, entry)
        CROSS JOIN LATERAL (
            SELECT ctid AS at FROM webhook_deliveries
            WHERE payment_id = given.payment_id AND seq = given.seq AND endpoint_id = given.endpoint_id OFFSET 0
        ) kept
    ) s
    WHERE d.ctid = s.at AND d.lease_epoch = s.lease_epoch AND d.leased
    RETURNING d.payment_id, d.endpoint_id, d.seq, d.status
), next AS (
    UPDATE webhook_deliveries d SET due_at = statement_timestamp()
    FROM (
        SELECT payment_id, endpoint_id, min(seq) AS seq FROM settled WHERE status <> 'pending' GROUP BY 1, 2
    ) s
    CROSS JOIN LATERAL (
        SELECT ctid AS at, seq, endpoint_id, status, tries, leased, due_at FROM webhook_deliveries
        WHERE payment_id = s.payment_id OFFSET 0
    ) behind
    WHERE behind.endpoint_id = s.endpoint_id AND behind.seq > s.seq AND behind.status = 'pending'
        AND behind.tries = 0 AND NOT behind.leased AND behind.due_at > statement_timestamp()
        AND d.ctid = behind.at AND NOT d.leased
)
SELECT count(*) FROM settled
