-- compatible: programs before this one do not know the table
-- What is due when, of all projects: so that looking for it is one statement. Hints alone: the row of the function or execution says whether it is so, and the
-- upkeep writes those anew that are missing.
CREATE TABLE badal.schedules (
	schema text COLLATE "C" NOT NULL,	-- the project's data space
	project text COLLATE "C" NOT NULL,	-- its id
	kind text COLLATE "C" NOT NULL,		-- function, execution
	what bigint NOT NULL,			-- its internal number
	due timestamptz(3) NOT NULL,
	PRIMARY KEY (schema, kind, what)
);
CREATE INDEX schedules_due ON badal.schedules (due);
