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

-- The number is the project's to come: functions in the data space name it, so it cannot be renamed.
CREATE TABLE badal.spares (
	internal bigint PRIMARY KEY,
	version int NOT NULL
);
