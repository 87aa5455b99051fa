-- run_days --
SELECT day, status, runs FROM run_days WHERE day >= :since AND runs > 0 ORDER BY day, status

-- steps_of_container --
SELECT document FROM steps
WHERE engine = :engine AND container = :container AND ended IS NOT NULL
ORDER BY ended DESC LIMIT :limit
