-- compatible: programs before this one do not know the table
-- Functions that are to be kept warm, of all projects: so that looking for them is one statement. Hints alone: the row of the function says whether it is so, and
-- the upkeep writes those anew that are missing.
CREATE TABLE badal.warm (
	schema text COLLATE "C" NOT NULL,	-- the project's data space
	project text COLLATE "C" NOT NULL,	-- its id
	function text COLLATE "C" NOT NULL,	-- id
	since timestamptz(3) NOT NULL,
	PRIMARY KEY (schema, function)
);
CREATE INDEX warm_since ON badal.warm (since, schema, function);
