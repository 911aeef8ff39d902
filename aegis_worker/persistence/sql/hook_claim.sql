-- Of each hook ($1, with its point $2) take up to $3 deliveries that are due and are the first of their payment, each for $4
-- seconds.
--
-- A delivery is the first if no earlier one of its payment is pending for the same hook, be it due, leased or put off. So a
-- hook is told the events of a payment one after the other, and those behind one that failed were put off with it.
--
-- OFFSET 0 keeps the status of earlier ones out of the search for them. Otherwise the planner would take the index of what is
-- pending, and read all that waits for the hook for each row. A row is found again by its place (`at`), as in outbox_claim.
WITH due AS MATERIALIZED (
    SELECT d.at FROM unnest($1, $2) AS h(hook, point) CROSS JOIN LATERAL (
        SELECT ctid AS at FROM hook_deliveries o
        WHERE o.hook = h.hook AND o.point = h.point AND o.status = 'pending' AND o.due_at <= statement_timestamp()
            AND NOT EXISTS (
                SELECT FROM (
                    SELECT status FROM hook_deliveries
                    WHERE hook = o.hook AND point = o.point AND payment_id = o.payment_id AND seq < o.seq OFFSET 0
                ) earlier WHERE earlier.status = 'pending')
        ORDER BY o.due_at LIMIT $3 FOR UPDATE SKIP LOCKED
    ) d
), taken AS (
    UPDATE hook_deliveries o
    SET lease_epoch = o.lease_epoch + 1, due_at = statement_timestamp() + make_interval(secs => $4)
    FROM due WHERE o.ctid = due.at
    RETURNING o.hook, o.point, o.payment_id, o.seq, o.lease_epoch, o.tries
)
SELECT t.hook, t.point, t.lease_epoch, t.tries, {published_columns}
FROM taken t {join_published}
ORDER BY t.payment_id, t.seq
