-- compatible: programs before this one make users without targets, and identities without more than their provider's id
-- Where a user can be reached: the addresses of the account, and push tokens, which go with the session that they were made by.
CREATE TABLE :schema.targets (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL DEFAULT substr(md5(random()::text || clock_timestamp()::text), 1, 20),
	user_internal bigint NOT NULL REFERENCES :schema.users ON DELETE CASCADE,
	user_id text COLLATE "C" NOT NULL,
	session_internal bigint REFERENCES :schema.sessions ON DELETE CASCADE,
	provider_type text COLLATE "C" NOT NULL,	-- email, sms, push
	provider_id text COLLATE "C",			-- NULL: none
	identifier text COLLATE "C" NOT NULL,		-- e-mail address, phone number or push token
	name text NOT NULL DEFAULT '',
	expired boolean NOT NULL DEFAULT false,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
INSERT INTO :schema.targets (user_internal, user_id, provider_type, identifier, created, updated)
	SELECT internal, id, 'email', lower(email), now(), now() FROM :schema.users WHERE email IS NOT NULL;
INSERT INTO :schema.targets (user_internal, user_id, provider_type, identifier, created, updated)
	SELECT internal, id, 'sms', phone, now(), now() FROM :schema.users WHERE phone IS NOT NULL;
CREATE UNIQUE INDEX targets_id ON :schema.targets (lower(id));
CREATE UNIQUE INDEX targets_identifier ON :schema.targets (identifier);
CREATE INDEX targets_user ON :schema.targets (user_internal, internal);
CREATE INDEX targets_session ON :schema.targets (session_internal);

-- What the providers of OAuth2 said of who signed in, and gave.
ALTER TABLE :schema.identities ADD COLUMN id text COLLATE "C",
	ADD COLUMN updated timestamptz(3),				-- NULL: not since it was made
	ADD COLUMN email text COLLATE "C" NOT NULL DEFAULT '',		-- at the provider, in lower case
	ADD COLUMN access_token text NOT NULL DEFAULT '',		-- sealed, as that of sessions
	ADD COLUMN access_token_expiry timestamptz(3),
	ADD COLUMN refresh_token text NOT NULL DEFAULT '',
	ADD COLUMN search text NOT NULL DEFAULT '';
-- once, for it writes every row anew: with the id that it has in both
UPDATE :schema.identities i SET id = n.id, email = lower(coalesce(n.email, '')), search = concat_ws(' ', n.id, n.user_id, i.provider, i.provider_uid, n.email)
	FROM (SELECT k.internal, substr(md5(random()::text || k.internal), 1, 20) AS id, u.id AS user_id, u.email FROM :schema.identities k JOIN :schema.users u ON u.internal = k.user_internal) n
	WHERE n.internal = i.internal;
ALTER TABLE :schema.identities ALTER COLUMN id SET NOT NULL,
	ALTER COLUMN id SET DEFAULT substr(md5(random()::text || clock_timestamp()::text), 1, 20);
CREATE UNIQUE INDEX identities_id ON :schema.identities (lower(id));
CREATE INDEX identities_email ON :schema.identities (email) WHERE email <> '';

-- The hashes of former passwords, the newest first, as long as a project remembers them.
CREATE TABLE :schema.passwords (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_internal bigint NOT NULL REFERENCES :schema.users ON DELETE CASCADE,
	password text COLLATE "C" NOT NULL,
	hash text NOT NULL,
	hash_options text NOT NULL
);
CREATE INDEX passwords_user ON :schema.passwords (user_internal, internal);
