-- Look at up to $1 due events and take those whose turn it is, each for $2 seconds.
--
-- statement_timestamp() and not clock_timestamp(): only a stable function can bound an index scan.
--
-- A row that is behind another is put off until that one is due, or for a moment if that one is just being delivered.
-- Otherwise the rows of payments that wait would gather at the head of the index until they fill every page of LIMIT rows,
-- and a claim would find nothing else.
--
-- OFFSET 0 and LIMIT are for the planner, which knows little about a table that is empty one minute and full the next. They
-- keep it from reading the whole table, and from looking through all due rows once for each payment.
--
-- A row is found again by its place (`at`), which costs no look-up in an index. If another drain changed a row between this
-- statement's snapshot and its lock, its places differ. Then it counts as one that is missing, and the rows behind it wait.
--
-- An event may be fanned out as soon as every earlier event of its payment is, in this claim or before. It doesn't wait
-- until those are told. So the statement may mark rows as fanned out that it doesn't claim.
WITH due AS MATERIALIZED (
    SELECT ctid AS at, payment_id, seq FROM outbox
    WHERE due_at <= statement_timestamp()
    ORDER BY due_at, payment_id, seq LIMIT $1 FOR UPDATE SKIP LOCKED
), undelivered AS (
    SELECT o.at, o.picked, o.due_at, o.fanned_out,
        max(
            CASE WHEN o.leased THEN least(o.due_at, statement_timestamp() + interval '50 ms') ELSE o.due_at END
        ) FILTER (WHERE NOT o.picked) OVER up_to_here AS behind,
        bool_and(o.picked OR o.fanned_out) OVER up_to_here AS may_fan_out
    FROM (
        SELECT of_it.*, of_it.at IN (SELECT at FROM due) AS picked
        FROM (SELECT DISTINCT payment_id FROM due) one CROSS JOIN LATERAL (
            SELECT ctid AS at, payment_id, seq, due_at, leased, fanned_out FROM outbox
            WHERE payment_id = one.payment_id OFFSET 0
        ) of_it
        OFFSET 0
    ) o
    WINDOW up_to_here AS (PARTITION BY o.payment_id ORDER BY o.seq)
), taken AS (
    UPDATE outbox o
    SET leased = u.behind IS NULL, lease_epoch = o.lease_epoch + (u.behind IS NULL)::int,
        due_at = CASE WHEN u.behind IS NULL
            THEN statement_timestamp() + make_interval(secs => $2) ELSE greatest(o.due_at, u.behind) END,
        fanned_out = u.fanned_out OR u.may_fan_out
    FROM (SELECT * FROM undelivered WHERE picked LIMIT $1) u
    WHERE o.ctid = u.at
    RETURNING o.payment_id, o.seq, o.lease_epoch, o.tries, u.behind IS NULL AS claimed,
        coalesce(u.behind > u.due_at, true) AS moved, u.may_fan_out AND NOT u.fanned_out AS fan_out
)
SELECT t.claimed, t.moved, t.lease_epoch, t.tries, t.fan_out, {published_columns}
FROM taken t {join_published}
ORDER BY t.payment_id, t.seq
