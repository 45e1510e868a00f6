-- One project's users, sessions, tokens, teams and memberships. The console's own space (p_0) is made from the same file.
CREATE SCHEMA IF NOT EXISTS :schema;

CREATE TABLE :schema.users (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL,
	name text,
	email text,
	phone text COLLATE "C",
	password text COLLATE "C",
	hash text NOT NULL DEFAULT 'argon2',
	hash_options text NOT NULL,		-- JSON as it is reported, in its order
	status boolean NOT NULL DEFAULT true,
	email_verification boolean NOT NULL DEFAULT false,
	phone_verification boolean NOT NULL DEFAULT false,
	reset boolean NOT NULL DEFAULT false,
	prefs text NOT NULL DEFAULT '{}',	-- JSON in the caller's order
	registration timestamptz(3) NOT NULL,
	password_update timestamptz(3),
	search text NOT NULL DEFAULT '',
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX users_id ON :schema.users (lower(id));
CREATE UNIQUE INDEX users_email ON :schema.users (lower(email));
CREATE UNIQUE INDEX users_phone ON :schema.users (phone);

CREATE TABLE :schema.sessions (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL,
	user_internal bigint NOT NULL REFERENCES :schema.users ON DELETE CASCADE,
	user_id text COLLATE "C" NOT NULL,
	secret_hash text COLLATE "C" NOT NULL,	-- SHA-256 of the secret in the cookie
	provider text NOT NULL,
	provider_uid text NOT NULL DEFAULT '',
	provider_access_token text NOT NULL DEFAULT '',
	provider_access_token_expiry timestamptz(3),
	provider_refresh_token text NOT NULL DEFAULT '',
	expire timestamptz(3) NOT NULL,
	ip text NOT NULL DEFAULT '',
	user_agent text NOT NULL DEFAULT '',
	os_code text NOT NULL DEFAULT '',
	os_name text NOT NULL DEFAULT '',
	os_version text NOT NULL DEFAULT '',
	client_type text NOT NULL DEFAULT '',
	client_code text NOT NULL DEFAULT '',
	client_name text NOT NULL DEFAULT '',
	client_version text NOT NULL DEFAULT '',
	client_engine text NOT NULL DEFAULT '',
	client_engine_version text NOT NULL DEFAULT '',
	device_name text NOT NULL DEFAULT '',
	device_brand text NOT NULL DEFAULT '',
	device_model text NOT NULL DEFAULT '',
	country_code text NOT NULL DEFAULT '--',
	country_name text NOT NULL DEFAULT 'Unknown',
	created timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX sessions_id ON :schema.sessions (lower(id));
CREATE UNIQUE INDEX sessions_secret ON :schema.sessions (secret_hash);
CREATE INDEX sessions_user ON :schema.sessions (user_internal, internal);

CREATE TABLE :schema.tokens (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL,
	user_internal bigint NOT NULL REFERENCES :schema.users ON DELETE CASCADE,
	user_id text COLLATE "C" NOT NULL,
	type integer NOT NULL,			-- 2 verification, 3 recovery, 4 invite, 5 magic URL, 6 phone
	secret_hash text COLLATE "C" NOT NULL,
	expire timestamptz(3) NOT NULL,
	ip text NOT NULL DEFAULT '',
	user_agent text NOT NULL DEFAULT '',
	created timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX tokens_id ON :schema.tokens (lower(id));
CREATE INDEX tokens_user ON :schema.tokens (user_internal, type, secret_hash);

CREATE TABLE :schema.teams (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL,
	name text NOT NULL,
	total bigint NOT NULL DEFAULT 0,	-- confirmed memberships
	search text NOT NULL DEFAULT '',
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX teams_id ON :schema.teams (lower(id));

CREATE TABLE :schema.memberships (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL,
	user_internal bigint NOT NULL REFERENCES :schema.users ON DELETE CASCADE,
	user_id text COLLATE "C" NOT NULL,
	team_internal bigint NOT NULL REFERENCES :schema.teams ON DELETE CASCADE,
	team_id text COLLATE "C" NOT NULL,
	roles text[] NOT NULL DEFAULT '{}',
	invited timestamptz(3) NOT NULL,
	joined timestamptz(3),
	confirm boolean NOT NULL,
	secret_hash text COLLATE "C" NOT NULL DEFAULT '',
	search text NOT NULL DEFAULT '',
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX memberships_id ON :schema.memberships (lower(id));
CREATE UNIQUE INDEX memberships_once ON :schema.memberships (team_internal, user_internal);
CREATE INDEX memberships_user ON :schema.memberships (user_internal, internal);
