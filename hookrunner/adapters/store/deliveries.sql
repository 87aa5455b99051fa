-- save_delivery --
INSERT INTO deliveries (id, source, sender_id, body_hash, received_at, document)
SELECT
    value ->> 'id',
    value ->> 'source',
    value ->> 'sender_id',
    value ->> 'body_hash',
    value ->> 'received_at',
    substr(:documents, value ->> 'at', value ->> 'size')
FROM json_each(:rows)
WHERE true
ON CONFLICT (id) DO UPDATE SET
    source = excluded.source,
    sender_id = excluded.sender_id,
    body_hash = excluded.body_hash,
    received_at = excluded.received_at,
    document = excluded.document

-- save_delivery_repository --
INSERT INTO delivery_repositories (delivery, repository)
SELECT value ->> 'delivery', value ->> 'repository'
FROM json_each(:rows)
WHERE true
ON CONFLICT DO NOTHING

-- delivery --
SELECT document FROM deliveries WHERE id = :id

-- similar_deliveries --
SELECT asked.key, deliveries.document
FROM json_each(:asked) AS asked
CROSS JOIN deliveries ON deliveries.id IN (
    (
        SELECT max(id) FROM deliveries
        WHERE source = json_extract(asked.value, '$[0]')
          AND sender_id = json_extract(asked.value, '$[1]')
    ),
    (
        SELECT max(id) FROM deliveries
        WHERE source = json_extract(asked.value, '$[0]')
          AND body_hash = json_extract(asked.value, '$[2]')
    )
)
ORDER BY asked.key, deliveries.id

-- first_delivery_from --
SELECT id FROM deliveries WHERE received_at >= :at ORDER BY received_at, id LIMIT 1

-- last_delivery_before --
SELECT id FROM deliveries WHERE received_at < :at ORDER BY received_at DESC, id DESC LIMIT 1

-- list_deliveries --
SELECT document FROM deliveries
WHERE id > :above AND id < :below
  AND +received_at >= :since AND +received_at < :until
ORDER BY id DESC LIMIT :limit

-- list_deliveries_by_source --
SELECT document FROM deliveries
WHERE source = :source AND id > :above AND id < :below
  AND +received_at >= :since AND +received_at < :until
ORDER BY id DESC LIMIT :limit

-- list_deliveries_by_repository --
SELECT deliveries.document
FROM delivery_repositories AS place
CROSS JOIN deliveries ON deliveries.id = place.delivery
WHERE place.repository = :repository
  AND place.delivery > :above AND place.delivery < :below
  AND +deliveries.received_at >= :since AND +deliveries.received_at < :until
  AND (:source IS NULL OR deliveries.source = :source)
ORDER BY place.delivery DESC LIMIT :limit
