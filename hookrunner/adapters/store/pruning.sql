-- oldest_runs --
SELECT
    id,
    created_at,
    status IN ('queued', 'running')
    OR EXISTS (
        SELECT 1 FROM steps
        WHERE steps.run = runs.id AND steps.status IN ('queued', 'running', 'stuck')
    )
    OR EXISTS (
        SELECT 1 FROM steps
        WHERE steps.run = runs.id AND steps.ended = (
            SELECT max(other.ended) FROM steps AS other
            WHERE other.engine = steps.engine AND other.container = steps.container
              AND other.ended IS NOT NULL
        )
    ) AS is_needed
FROM runs
WHERE id > :above
ORDER BY id LIMIT :limit

-- count_runs --
SELECT coalesce(sum(runs), 0) FROM run_days

-- oldest_run_at --
SELECT min(created_at) FROM runs

-- remove_runs --
-- Asked again, since one may have been tried again meanwhile.
DELETE FROM runs
WHERE id IN (SELECT value FROM json_each(:runs))
  AND status NOT IN ('queued', 'running')
  AND NOT EXISTS (
      SELECT 1 FROM steps
      WHERE steps.run = runs.id AND steps.status IN ('queued', 'running', 'stuck')
  )

-- old_routine_runs --
SELECT id FROM runs
WHERE routine = 1 AND created_at < :before AND status NOT IN ('queued', 'running')
ORDER BY created_at LIMIT :limit

-- unknown_runs --
SELECT value FROM json_each(:runs) WHERE value NOT IN (SELECT id FROM runs)

-- outnumbered_delivery --
-- The newest of those that are too many: looked for once, since it counts through the others.
SELECT id FROM deliveries ORDER BY id DESC LIMIT 1 OFFSET :most

-- old_deliveries --
SELECT id, (
    SELECT json_group_array(receipt.value ->> 'run')
    FROM json_each(deliveries.document, '$.pushes') AS receipt
) FROM deliveries
WHERE id > :above
  AND (received_at < :before OR id <= :outnumbered)
ORDER BY id LIMIT :limit

-- known_runs --
SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(:runs))

-- remove_deliveries --
DELETE FROM deliveries WHERE id IN (SELECT value FROM json_each(:deliveries))

-- crowded_refs --
SELECT repository, ref FROM pushes GROUP BY repository, ref HAVING count(*) > :per_ref

-- remove_pushes --
DELETE FROM pushes WHERE id IN (
    SELECT id FROM pushes WHERE repository = :repository AND ref = :ref
    ORDER BY id DESC LIMIT :limit OFFSET :per_ref
)

-- keep_uses_since --
UPDATE audit_kept SET since = :since WHERE since < :since

-- remove_uses --
DELETE FROM audit WHERE id IN (
    SELECT id FROM audit WHERE at < :since ORDER BY at LIMIT :limit
)

-- remove_sessions --
DELETE FROM sessions WHERE expires_at <= :now
