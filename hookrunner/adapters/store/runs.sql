-- save_run --
INSERT INTO runs (id, status, repository, created_at, routine, document)
SELECT
    value ->> 'id',
    value ->> 'status',
    value ->> 'repository',
    value ->> 'created_at',
    value ->> 'routine',
    substr(:documents, value ->> 'at', value ->> 'size')
FROM json_each(:rows)
WHERE true
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status,
    repository = excluded.repository,
    created_at = excluded.created_at,
    routine = excluded.routine,
    document = excluded.document

-- save_run_of_projects --
UPDATE run_projects SET status = run.status, repository = run.repository
FROM (
    SELECT
        value ->> 'id' AS id,
        value ->> 'status' AS status,
        value ->> 'repository' AS repository
    FROM json_each(:rows)
) AS run
WHERE run_projects.run = run.id AND (
    run_projects.status <> run.status OR run_projects.repository IS NOT run.repository
)

-- save_step --
INSERT INTO steps (id, run, number, engine, container, status, ended, superseded_by, document)
SELECT
    value ->> 'id',
    value ->> 'run',
    value ->> 'number',
    value ->> 'engine',
    value ->> 'container',
    value ->> 'status',
    CASE WHEN value ->> 'counts' THEN
        (SELECT coalesce(max(ended), 0) FROM steps) + key + 1
    END,
    value ->> 'superseded_by',
    substr(:documents, value ->> 'at', value ->> 'size')
FROM json_each(:rows)
WHERE true
ON CONFLICT (id) DO UPDATE SET
    run = excluded.run,
    number = excluded.number,
    engine = excluded.engine,
    container = excluded.container,
    status = excluded.status,
    ended = CASE WHEN excluded.ended IS NOT NULL THEN coalesce(ended, excluded.ended) END,
    superseded_by = excluded.superseded_by,
    document = excluded.document

-- save_run_project --
INSERT INTO run_projects (run, project, status, repository)
SELECT runs.id, value ->> 'project', runs.status, runs.repository
FROM json_each(:rows)
CROSS JOIN runs ON runs.id = value ->> 'run'
WHERE true
ON CONFLICT DO NOTHING

-- run --
SELECT id, document FROM runs WHERE id = :id

-- last_id --
SELECT max(id) FROM (
    SELECT max(id) AS id FROM deliveries UNION ALL SELECT max(id) AS id FROM runs
)

-- step --
SELECT document FROM steps WHERE id = :id

-- steps_of_runs --
SELECT run, document FROM steps
WHERE run IN (SELECT value FROM json_each(:runs))
ORDER BY run, number

-- open_runs --
SELECT id, document FROM runs
WHERE id IN (
    SELECT id FROM runs WHERE status IN ('queued', 'running')
    UNION
    SELECT run FROM steps WHERE status IN ('queued', 'running', 'stuck')
)
ORDER BY id

-- successions --
-- Whoever took the place of one of the steps, in the end, and whose places they took.
WITH RECURSIVE known (id) AS (
    SELECT value FROM json_each(:steps)
    UNION
    SELECT steps.superseded_by FROM known
    CROSS JOIN steps ON steps.id = known.id
    WHERE steps.superseded_by IS NOT NULL
    UNION
    SELECT steps.id FROM known
    CROSS JOIN steps ON steps.superseded_by = known.id
)
SELECT document FROM known CROSS JOIN steps ON steps.id = known.id
ORDER BY steps.id

-- last_steps --
-- Goes from container to container through the index, so that what a container did
-- before its last step costs nothing. A comparison of pairs would be shorter, but reads
-- every step: 7 s of a million, against 2 ms.
WITH RECURSIVE known (engine, container) AS (
    SELECT * FROM (
        SELECT engine, container FROM steps
        WHERE ended IS NOT NULL
        ORDER BY engine, container LIMIT 1
    )
    UNION ALL
    SELECT following.engine, following.container
    FROM known
    CROSS JOIN steps AS following ON following.rowid = coalesce(
        (
            SELECT rowid FROM steps
            WHERE ended IS NOT NULL
              AND engine = known.engine AND container > known.container
            ORDER BY container LIMIT 1
        ),
        (
            SELECT rowid FROM steps
            WHERE ended IS NOT NULL AND engine > known.engine
            ORDER BY engine, container LIMIT 1
        )
    )
)
SELECT (
    SELECT document FROM steps
    WHERE engine = known.engine AND container = known.container
      AND ended IS NOT NULL
    ORDER BY ended DESC LIMIT 1
) AS document
FROM known

-- first_run_from --
SELECT id FROM runs WHERE created_at >= :at ORDER BY created_at, id LIMIT 1

-- last_run_before --
SELECT id FROM runs WHERE created_at < :at ORDER BY created_at DESC, id DESC LIMIT 1

-- list_runs --
SELECT id, document FROM runs
WHERE id > :above AND id < :below
  AND +created_at >= :since AND +created_at < :until
ORDER BY id DESC LIMIT :limit

-- list_runs_not_routine --
SELECT id, document FROM runs
WHERE routine = 0 AND id > :above AND id < :below
  AND +created_at >= :since AND +created_at < :until
ORDER BY id DESC LIMIT :limit

-- list_runs_by_status --
SELECT id, document FROM runs
WHERE status = :status AND id > :above AND id < :below
  AND +created_at >= :since AND +created_at < :until
  AND (:routine OR +routine = 0)
ORDER BY id DESC LIMIT :limit

-- list_runs_by_repository --
SELECT id, document FROM runs
WHERE repository = :repository AND id > :above AND id < :below
  AND +created_at >= :since AND +created_at < :until
  AND (:routine OR +routine = 0)
ORDER BY id DESC LIMIT :limit

-- list_runs_by_repository_and_status --
SELECT id, document FROM runs
WHERE repository = :repository AND status = :status AND id > :above AND id < :below
  AND +created_at >= :since AND +created_at < :until
  AND (:routine OR +routine = 0)
ORDER BY id DESC LIMIT :limit

-- list_runs_by_project --
SELECT runs.id, runs.document
FROM run_projects AS place
CROSS JOIN runs ON runs.id = place.run
WHERE place.project = :project AND place.run > :above AND place.run < :below
  AND +runs.created_at >= :since AND +runs.created_at < :until
  AND (:repository IS NULL OR place.repository = :repository)
  AND (:routine OR runs.routine = 0)
ORDER BY place.run DESC LIMIT :limit

-- list_runs_by_project_and_status --
SELECT runs.id, runs.document
FROM run_projects AS place
CROSS JOIN runs ON runs.id = place.run
WHERE place.project = :project AND place.status = :status
  AND place.run > :above AND place.run < :below
  AND +runs.created_at >= :since AND +runs.created_at < :until
  AND (:repository IS NULL OR place.repository = :repository)
  AND (:routine OR runs.routine = 0)
ORDER BY place.run DESC LIMIT :limit

-- list_runs_by_container --
SELECT runs.id, runs.document
FROM steps AS place
CROSS JOIN runs ON runs.id = place.run
WHERE place.container = :container AND place.run > :above AND place.run < :below
  AND +runs.created_at >= :since AND +runs.created_at < :until
  AND (:status IS NULL OR runs.status = :status)
  AND (:repository IS NULL OR runs.repository = :repository)
  AND (:project IS NULL OR EXISTS (
      SELECT 1 FROM run_projects
      WHERE run_projects.run = place.run AND run_projects.project = :project
  ))
  AND (:routine OR runs.routine = 0)
GROUP BY place.run
ORDER BY place.run DESC LIMIT :limit
