-- compatible: programs before this one do not know tables and column
-- Keys of the console's teams and users. sql/project/0032_keys.sql says whose rows they go with.
CREATE TABLE badal.organization_keys (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	team_internal bigint NOT NULL,	-- of p_0, as the next ones
	user_internal bigint NOT NULL,		-- who made it
	membership_internal bigint NOT NULL,	-- theirs
	id text COLLATE "C" NOT NULL,
	name text NOT NULL,
	secret text NOT NULL,			-- sealed
	secret_hash text COLLATE "C" NOT NULL,	-- SHA-256 of the clear text
	scopes text[] NOT NULL,
	expire timestamptz(3),
	accessed timestamptz(3),
	sdks text[] NOT NULL DEFAULT '{}',
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX organization_keys_id ON badal.organization_keys (team_internal, lower(id));
CREATE UNIQUE INDEX organization_keys_secret ON badal.organization_keys (secret_hash);
CREATE INDEX organization_keys_user ON badal.organization_keys (user_internal);
CREATE INDEX organization_keys_membership ON badal.organization_keys (membership_internal);

CREATE TABLE badal.account_keys (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_internal bigint NOT NULL,
	id text COLLATE "C" NOT NULL,
	name text NOT NULL,
	secret text NOT NULL,			-- sealed
	secret_hash text COLLATE "C" NOT NULL,	-- SHA-256 of the clear text
	scopes text[] NOT NULL,
	expire timestamptz(3),
	accessed timestamptz(3),
	sdks text[] NOT NULL DEFAULT '{}',
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX account_keys_id ON badal.account_keys (user_internal, lower(id));
CREATE UNIQUE INDEX account_keys_secret ON badal.account_keys (secret_hash);

-- Steps of the way into a project that somebody passes over: the id of each, and when (ms).
ALTER TABLE badal.projects ADD COLUMN stages text NOT NULL DEFAULT '{}';	-- JSON

-- Ids of webhooks are chosen by whoever makes them: each project has names of its own.
DROP INDEX badal.webhooks_id;
CREATE UNIQUE INDEX webhooks_id ON badal.webhooks (project, lower(id));
