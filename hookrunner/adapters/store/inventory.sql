-- save_push --
INSERT INTO pushes (id, repository, ref, document)
SELECT
    value ->> 'id',
    value ->> 'repository',
    value ->> 'ref',
    substr(:documents, value ->> 'at', value ->> 'size')
FROM json_each(:rows)
WHERE true
ON CONFLICT (id) DO UPDATE SET
    repository = excluded.repository,
    ref = excluded.ref,
    document = excluded.document

-- known_pushes --
-- Goes from ref to ref through the index, so that older pushes cost nothing.
WITH RECURSIVE known (repository, ref) AS (
    SELECT * FROM (
        SELECT repository, ref FROM pushes ORDER BY repository, ref LIMIT 1
    )
    UNION ALL
    SELECT following.repository, following.ref
    FROM known
    CROSS JOIN pushes AS following ON following.rowid = coalesce(
        (
            SELECT rowid FROM pushes
            WHERE repository = known.repository AND ref > known.ref
            ORDER BY ref LIMIT 1
        ),
        (
            SELECT rowid FROM pushes
            WHERE repository > known.repository
            ORDER BY repository, ref LIMIT 1
        )
    )
)
SELECT pushes.document
FROM known
CROSS JOIN pushes ON pushes.id IN (
    SELECT newest.id FROM pushes AS newest
    WHERE newest.repository = known.repository AND newest.ref = known.ref
    ORDER BY newest.id DESC LIMIT :per_ref
)
ORDER BY pushes.id

-- save_container --
INSERT INTO containers (engine, container, document)
SELECT
    value ->> 'engine',
    value ->> 'container',
    substr(:documents, value ->> 'at', value ->> 'size')
FROM json_each(:rows)
WHERE true
ON CONFLICT (engine, container) DO UPDATE SET document = excluded.document

-- container_states --
SELECT document FROM containers ORDER BY engine, container

-- save_binding --
INSERT INTO bindings (project, document)
SELECT
    value ->> 'project',
    substr(:documents, value ->> 'at', value ->> 'size')
FROM json_each(:rows)
WHERE true
ON CONFLICT (project) DO UPDATE SET document = excluded.document

-- bindings --
SELECT document FROM bindings ORDER BY project

-- save_attended --
INSERT INTO attended (engine, container, document)
SELECT
    value ->> 'engine',
    value ->> 'container',
    substr(:documents, value ->> 'at', value ->> 'size')
FROM json_each(:rows)
WHERE true
ON CONFLICT (engine, container) DO UPDATE SET document = excluded.document

-- attended --
SELECT document FROM attended ORDER BY engine, container

-- save_interval --
INSERT INTO intervals (project, document)
SELECT
    value ->> 'project',
    substr(:documents, value ->> 'at', value ->> 'size')
FROM json_each(:rows)
WHERE true
ON CONFLICT (project) DO UPDATE SET document = excluded.document

-- intervals --
SELECT document FROM intervals ORDER BY project

-- save_hold --
INSERT INTO holds (id, document) VALUES (:id, :document)

-- delete_hold --
DELETE FROM holds WHERE id = :id

-- holds --
SELECT document FROM holds ORDER BY id

-- save_image_metadata --
INSERT INTO image_metadata (engine, image_id, document)
VALUES (:engine, :image_id, :document)
ON CONFLICT (engine, image_id) DO UPDATE SET document = excluded.document

-- image_metadata --
SELECT image_id, document FROM image_metadata WHERE engine = :engine
