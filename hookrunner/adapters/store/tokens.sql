-- add_token --
INSERT INTO tokens (id, name, hash, expires_at, revoked_at, document)
VALUES (:id, :name, :hash, :expires_at, :revoked_at, :document)

-- update_token --
UPDATE tokens
SET expires_at = :expires_at, revoked_at = :revoked_at, document = :document
WHERE id = :id

-- live_tokens_of_name --
SELECT document FROM tokens
WHERE name = :name AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :at)

-- token --
SELECT document FROM tokens WHERE id = :id

-- token_by_hash --
SELECT document FROM tokens WHERE hash = :hash

-- tokens --
SELECT document FROM tokens ORDER BY id

-- add_use --
INSERT INTO audit (at, who, document) VALUES (:at, :who, :document)

-- list_uses --
SELECT id, document FROM audit
WHERE id < :below AND +at >= :since AND +at < :until
ORDER BY id DESC LIMIT :limit

-- list_uses_by_who --
SELECT id, document FROM audit
WHERE who = :who AND id < :below AND +at >= :since AND +at < :until
ORDER BY id DESC LIMIT :limit
