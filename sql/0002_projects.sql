-- At which migration of sql/project the data space of each project is, so that each is brought up to date by itself, when it is first
-- used or in the background; and data spaces made in advance, so that creating a project is quick.
ALTER TABLE badal.projects
	ADD COLUMN version int NOT NULL DEFAULT 0,	-- newest migration applied; badal.project_migrations has them all, and the last word
	ADD COLUMN needs int NOT NULL DEFAULT 0,	-- programs that do not know this one must leave the data space alone
	ADD COLUMN stuck text NOT NULL DEFAULT '',	-- why the last attempt failed
	ADD COLUMN stuck_at timestamptz(3);
UPDATE badal.projects p SET version = m.number, needs = m.number
FROM (SELECT schema, max(number) AS number FROM badal.project_migrations GROUP BY schema) m WHERE m.schema = 'p_' || p.internal;
CREATE INDEX projects_version ON badal.projects (version);

-- In which order projects were made: a data space that was made in advance has a number that says nothing about it.
ALTER TABLE badal.projects ADD COLUMN seq bigint;
UPDATE badal.projects SET seq = internal;
ALTER TABLE badal.projects ALTER COLUMN seq SET NOT NULL, ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval(pg_get_serial_sequence('badal.projects', 'seq'), coalesce(max(internal), 0) + 1, false) FROM badal.projects;
CREATE UNIQUE INDEX projects_seq ON badal.projects (seq);

-- The number is the project's to come: functions in the data space name it, so it cannot be renamed.
CREATE TABLE badal.spares (
	internal bigint PRIMARY KEY,
	version int NOT NULL
);
