-- The platform: projects and what belongs to them. Ids keep their spelling and are compared case-insensitively.
CREATE SCHEMA IF NOT EXISTS badal;

CREATE TABLE badal.projects (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL,
	name text NOT NULL,
	team_id text COLLATE "C" NOT NULL,
	description text NOT NULL DEFAULT '',
	logo text NOT NULL DEFAULT '',
	url text NOT NULL DEFAULT '',
	legal_name text NOT NULL DEFAULT '',
	legal_country text NOT NULL DEFAULT '',
	legal_state text NOT NULL DEFAULT '',
	legal_city text NOT NULL DEFAULT '',
	legal_address text NOT NULL DEFAULT '',
	legal_tax_id text NOT NULL DEFAULT '',
	user_limit bigint NOT NULL DEFAULT 0,
	auths jsonb NOT NULL DEFAULT '{}',	-- stored key -> boolean; missing: on
	services jsonb NOT NULL DEFAULT '{}',	-- service -> boolean; missing: on
	providers jsonb NOT NULL DEFAULT '{}',	-- <provider>Appid, <provider>Secret -> sealed text
	search text NOT NULL DEFAULT '',
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX projects_id ON badal.projects (lower(id));
CREATE INDEX projects_team ON badal.projects (lower(team_id));

CREATE TABLE badal.platforms (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	project bigint NOT NULL REFERENCES badal.projects ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,
	type text NOT NULL,
	name text NOT NULL,
	key text NOT NULL DEFAULT '',
	store text NOT NULL DEFAULT '',
	hostname text NOT NULL DEFAULT '',
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX platforms_id ON badal.platforms (lower(id));
CREATE INDEX platforms_project ON badal.platforms (project, internal);

CREATE TABLE badal.keys (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	project bigint NOT NULL REFERENCES badal.projects ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,
	name text NOT NULL,
	scopes text[] NOT NULL,
	secret text NOT NULL,			-- sealed
	secret_hash text COLLATE "C" NOT NULL,	-- SHA-256 of the clear text
	expire timestamptz(3),
	accessed timestamptz(3),
	sdks text[] NOT NULL DEFAULT '{}',
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX keys_id ON badal.keys (lower(id));
CREATE UNIQUE INDEX keys_secret ON badal.keys (secret_hash);
CREATE INDEX keys_project ON badal.keys (project, internal);

CREATE TABLE badal.webhooks (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	project bigint NOT NULL REFERENCES badal.projects ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,
	name text NOT NULL,
	url text NOT NULL,
	events text[] NOT NULL,
	security boolean NOT NULL,
	http_user text NOT NULL DEFAULT '',
	http_pass text NOT NULL DEFAULT '',	-- sealed
	signature text NOT NULL,		-- sealed
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX webhooks_id ON badal.webhooks (lower(id));
CREATE INDEX webhooks_project ON badal.webhooks (project, internal);

CREATE TABLE badal.domains (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	project bigint NOT NULL REFERENCES badal.projects ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,
	domain text NOT NULL,
	tld text NOT NULL DEFAULT '',
	registerable text NOT NULL DEFAULT '',
	verification boolean NOT NULL DEFAULT false,
	certificate text NOT NULL DEFAULT '',
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX domains_id ON badal.domains (lower(id));
CREATE UNIQUE INDEX domains_domain ON badal.domains (project, domain);

-- Data spaces of deleted projects that are still to be dropped.
CREATE TABLE badal.trash (
	schema text PRIMARY KEY,
	created timestamptz(3) NOT NULL DEFAULT now()
);
