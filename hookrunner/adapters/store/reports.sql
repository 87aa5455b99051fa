-- reports --
SELECT document FROM reports ORDER BY run, project

-- save_report --
INSERT INTO reports (run, project, document) VALUES (:run, :project, :document)
ON CONFLICT (run, project) DO UPDATE SET document = excluded.document

-- delete_report --
DELETE FROM reports WHERE run = :run AND project = :project
