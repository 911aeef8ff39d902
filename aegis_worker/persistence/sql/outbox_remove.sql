-- Remove delivered events that are still ours: payments $1, numbers $2, fences $3. Rows that were put off behind a removed
-- row become due at once. They are counted also where they have become due by themselves meanwhile: the drain that asks
-- goes on for them.
--
-- LATERAL and OFFSET 0 make the planner look each row up by its key. A row that another drain has taken since then has a
-- new fence, and stays.
WITH gone AS (
    DELETE FROM outbox o USING (
        SELECT kept.at, mine.lease_epoch
        FROM unnest($1, $2, $3) AS mine(payment_id, seq, lease_epoch)
        CROSS JOIN LATERAL (
            SELECT ctid AS at FROM outbox WHERE payment_id = mine.payment_id AND seq = mine.seq OFFSET 0
        ) kept
    ) told
    WHERE o.ctid = told.at AND o.lease_epoch = told.lease_epoch
    RETURNING o.payment_id
), behind AS (
    SELECT row.* FROM (SELECT DISTINCT payment_id FROM gone) one
    CROSS JOIN LATERAL (
        SELECT payment_id, seq, leased, due_at FROM outbox WHERE payment_id = one.payment_id OFFSET 0
    ) row
    WHERE NOT row.leased
), next AS (
    UPDATE outbox o SET due_at = statement_timestamp()
    FROM behind
    WHERE behind.due_at > statement_timestamp()
        AND o.payment_id = ANY (ARRAY[behind.payment_id]) AND o.seq = behind.seq AND NOT o.leased
)
SELECT (SELECT count(*) FROM gone) AS removed, (SELECT count(*) FROM behind) AS freed
