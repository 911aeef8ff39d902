-- Keep exchanges with gateways, given as arrays of their columns ($1 to $7); returns how many were new.
--
-- By arrays, because PostgreSQL reads them faster than JSON that holds JSON. Sends are not counted: an attempt is sent once,
-- and twice more at most where nothing left. The rest are kept up to {most} of an attempt.
WITH kept AS (
    INSERT INTO exchanges (payment_id, id, operation, number, kind, at, told)
    SELECT n.payment_id, n.id, n.operation, n.number, n.kind, clock_timestamp() - make_interval(secs => n.ago_s), n.told
    FROM unnest($1, $2, $3, $4, $5, $6, $7) AS n(payment_id, id, operation, number, kind, ago_s, told)
    WHERE n.kind = 'send' OR (
        SELECT count(*) FROM exchanges e
        WHERE e.payment_id = n.payment_id AND e.operation = n.operation AND e.number = n.number) < {most}
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) FROM kept
