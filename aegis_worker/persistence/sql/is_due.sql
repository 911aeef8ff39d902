-- Whether a row of `jobs` may be claimed. A part of other statements.
--
-- A job keeps its `run_at`, and so its place in the index, while it runs. So a job whose lease ran out is found first,
-- which is right because its customer has waited longest. A claim has to skip the jobs that are running, but there are no
-- more of those than calls in flight. This uses statement_timestamp() and not clock_timestamp(), because only a stable
-- function can bound an index scan.
finished_at IS NULL AND NOT in_review AND run_at <= statement_timestamp()
    AND (status IN ('queued', 'waiting') OR lease_until < statement_timestamp())
