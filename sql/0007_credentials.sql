-- compatible: programs before this one make ids that are unique everywhere, and see none of the new tables
-- Ids of keys and platforms are chosen by whoever makes them: each project has names of its own.
DROP INDEX badal.keys_id;
CREATE UNIQUE INDEX keys_id ON badal.keys (project, lower(id));
DROP INDEX badal.platforms_id;
CREATE UNIQUE INDEX platforms_id ON badal.platforms (project, lower(id));

-- Keys of developers: no limits and any origin, and no right that a guest has not.
CREATE TABLE badal.dev_keys (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	project bigint NOT NULL REFERENCES badal.projects ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,
	name text NOT NULL,
	secret text NOT NULL,			-- sealed
	secret_hash text COLLATE "C" NOT NULL,	-- SHA-256 of the clear text
	expire timestamptz(3) NOT NULL,
	accessed timestamptz(3),
	sdks text[] NOT NULL DEFAULT '{}',
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX dev_keys_id ON badal.dev_keys (project, lower(id));
CREATE INDEX dev_keys_project ON badal.dev_keys (project, internal);

-- Variables that all functions of a project get.
CREATE TABLE badal.variables (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	project bigint NOT NULL REFERENCES badal.projects ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,
	key text COLLATE "C" NOT NULL,
	value text NOT NULL,			-- sealed
	secret boolean NOT NULL,		-- nobody reads it any more
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX variables_id ON badal.variables (project, lower(id));
CREATE UNIQUE INDEX variables_key ON badal.variables (project, key);
