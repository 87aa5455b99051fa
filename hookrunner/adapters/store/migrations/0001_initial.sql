-- Each table has the columns that lists filter and sort by, and the whole struct as JSON.
-- Instants are microseconds since the epoch, UTC. Ids sort by time.

-- Those that were ignored as a whole, duplicates among them, have neither sender_id nor
-- body_hash here: nothing is a duplicate of them.
CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    sender_id TEXT,
    body_hash TEXT,
    received_at INTEGER NOT NULL,
    document BLOB NOT NULL
);
CREATE INDEX deliveries_by_time ON deliveries (received_at, id);
CREATE INDEX deliveries_by_source ON deliveries (source, id);
CREATE INDEX deliveries_by_body ON deliveries (source, body_hash, id)
    WHERE body_hash IS NOT NULL;
CREATE INDEX deliveries_by_sender ON deliveries (source, sender_id, id)
    WHERE sender_id IS NOT NULL;

-- The full names, lower case, of the repositories that a delivery's pushes are of.
CREATE TABLE delivery_repositories (
    delivery TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    repository TEXT NOT NULL,
    PRIMARY KEY (delivery, repository)
) WITHOUT ROWID;
CREATE INDEX delivery_repositories_by_repository
    ON delivery_repositories (repository, delivery);

CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL,
    repository TEXT, -- the push's full name, lower case
    created_at INTEGER NOT NULL,
    -- 1: a validation that nobody asked for, and that did not fail. Of 500 containers they
    -- are 144,000 a day, so lists step over them, and they go sooner.
    routine INTEGER NOT NULL,
    document BLOB NOT NULL
);
CREATE INDEX runs_not_routine ON runs (id) WHERE routine = 0;
CREATE INDEX runs_routine ON runs (created_at) WHERE routine = 1;
CREATE INDEX runs_by_time ON runs (created_at, id);
CREATE INDEX runs_by_status ON runs (status, id);
CREATE INDEX runs_by_repository ON runs (repository, id);
CREATE INDEX runs_by_repository_and_status ON runs (repository, status, id);

CREATE TABLE steps (
    id TEXT NOT NULL PRIMARY KEY,
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    engine TEXT NOT NULL,
    container TEXT NOT NULL,
    status TEXT NOT NULL,
    -- Counts on with each step that ends, also where the clock is set back; NULL for what is
    -- routine too, which is no container's last step: that it is valid is told elsewhere.
    ended INTEGER,
    superseded_by TEXT, -- the step that took its place
    document BLOB NOT NULL,
    UNIQUE (run, number)
);
CREATE INDEX steps_by_container ON steps (container, run);
CREATE INDEX steps_open ON steps (run) WHERE status IN ('queued', 'running', 'stuck');
CREATE INDEX steps_superseded ON steps (superseded_by) WHERE superseded_by IS NOT NULL;
CREATE INDEX steps_ended ON steps (ended);
CREATE INDEX steps_ended_by_container ON steps (engine, container, ended)
    WHERE ended IS NOT NULL;

-- The projects of a run's steps. What else lists of a project filter by is repeated here,
-- so that they need not read each of the project's runs: 10 s of 500,000, against 0.2 s.
CREATE TABLE run_projects (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    project TEXT NOT NULL,
    status TEXT NOT NULL,
    repository TEXT,
    PRIMARY KEY (run, project)
) WITHOUT ROWID;
CREATE INDEX run_projects_by_project ON run_projects (project, run, repository);
CREATE INDEX run_projects_by_project_and_status
    ON run_projects (project, status, run, repository);

CREATE TABLE pushes (
    id TEXT NOT NULL PRIMARY KEY,
    repository TEXT NOT NULL,
    ref TEXT NOT NULL,
    document BLOB NOT NULL
);
CREATE INDEX pushes_by_ref ON pushes (repository, ref, id);

CREATE TABLE containers (
    engine TEXT NOT NULL,
    container TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (engine, container)
) WITHOUT ROWID;

-- Which repository each project was found to belong to.
CREATE TABLE bindings (
    project TEXT NOT NULL PRIMARY KEY,
    document BLOB NOT NULL
) WITHOUT ROWID;

-- What containers were given without a push, by their names.
CREATE TABLE attended (
    engine TEXT NOT NULL,
    container TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (engine, container)
) WITHOUT ROWID;

-- When the updates of projects that come at intervals were last begun.
CREATE TABLE intervals (
    project TEXT NOT NULL PRIMARY KEY,
    document BLOB NOT NULL
) WITHOUT ROWID;

-- What forges are still to be told of a run, by project.
CREATE TABLE reports (
    run TEXT NOT NULL,
    project TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (run, project)
) WITHOUT ROWID;

CREATE TABLE holds (
    id TEXT NOT NULL PRIMARY KEY,
    document BLOB NOT NULL
) WITHOUT ROWID;

-- Answers of `container --metadata`; NULL says that the image has none.
CREATE TABLE image_metadata (
    engine TEXT NOT NULL,
    image_id TEXT NOT NULL,
    document BLOB,
    PRIMARY KEY (engine, image_id)
);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    expires_at INTEGER,
    revoked_at INTEGER,
    document BLOB NOT NULL
);
CREATE INDEX tokens_by_name ON tokens (name);

-- Every use of the API. What is in here stays as it is.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    document BLOB NOT NULL
);
CREATE INDEX audit_by_who ON audit (who, id);
CREATE INDEX audit_by_time ON audit (at);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
-- It is shortened at its old end only, and what the horizon passed does not come back.
CREATE TABLE audit_kept (since INTEGER NOT NULL);
INSERT INTO audit_kept (since) VALUES (0);
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
WHEN OLD.at >= (SELECT since FROM audit_kept)
BEGIN SELECT RAISE(ABORT, 'the audit log is shortened at its old end only'); END;
CREATE TRIGGER audit_kept_goes_on BEFORE UPDATE ON audit_kept
WHEN NEW.since < OLD.since
BEGIN SELECT RAISE(ABORT, 'the audit log is shortened at its old end only'); END;

CREATE TABLE sessions (
    hash TEXT NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    document BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- How many runs that are not routine were created on each day (days since the epoch, UTC) and stand how: counted
-- as they change, since counting a month of a million runs takes longer than a page may.
CREATE TABLE run_days (
    day INTEGER NOT NULL,
    status TEXT NOT NULL,
    runs INTEGER NOT NULL,
    PRIMARY KEY (day, status)
) WITHOUT ROWID;
CREATE TRIGGER run_added AFTER INSERT ON runs WHEN NEW.routine = 0 BEGIN
    INSERT INTO run_days (day, status, runs)
    VALUES (NEW.created_at / 86400000000, NEW.status, 1)
    ON CONFLICT (day, status) DO UPDATE SET runs = runs + 1;
END;
CREATE TRIGGER run_changed AFTER UPDATE OF status, routine ON runs
WHEN OLD.status <> NEW.status OR OLD.routine <> NEW.routine BEGIN
    UPDATE run_days SET runs = runs - 1
    WHERE day = OLD.created_at / 86400000000 AND status = OLD.status AND OLD.routine = 0;
    INSERT INTO run_days (day, status, runs)
    SELECT NEW.created_at / 86400000000, NEW.status, 1 WHERE NEW.routine = 0
    ON CONFLICT (day, status) DO UPDATE SET runs = runs + 1;
END;
CREATE TRIGGER run_removed AFTER DELETE ON runs WHEN OLD.routine = 0 BEGIN
    UPDATE run_days SET runs = runs - 1
    WHERE day = OLD.created_at / 86400000000 AND status = OLD.status;
END;

-- One row, changed to find out whether anything can be written.
CREATE TABLE health (writes INTEGER NOT NULL);
INSERT INTO health (writes) VALUES (0);
