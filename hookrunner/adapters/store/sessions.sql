-- add_session --
INSERT INTO sessions (hash, expires_at, document) VALUES (:hash, :expires_at, :document)

-- drop_sessions --
DELETE FROM sessions WHERE expires_at <= :now

-- session --
SELECT document FROM sessions WHERE hash = :hash

-- end_session --
DELETE FROM sessions WHERE hash = :hash
