-- A second factor: whether a user wants one, authenticator apps, recovery codes, and challenges that are open.
-- Not compatible: a former program would let in whoever has the first factor alone.
ALTER TABLE :schema.users ADD COLUMN mfa boolean NOT NULL DEFAULT false,
	ADD COLUMN totp boolean NOT NULL DEFAULT false,		-- the app has shown a code
	ADD COLUMN totp_secret text NOT NULL DEFAULT '',	-- sealed, base32; '': there is no app
	ADD COLUMN totp_step bigint NOT NULL DEFAULT 0;		-- of the last code that was accepted: no earlier one is

ALTER TABLE :schema.sessions ADD COLUMN mfa_updated timestamptz(3);	-- when a challenge was last solved with it

CREATE TABLE :schema.recovery_codes (		-- each is good once
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_internal bigint NOT NULL REFERENCES :schema.users ON DELETE CASCADE,
	code text NOT NULL			-- sealed
);
CREATE INDEX recovery_codes_user ON :schema.recovery_codes (user_internal);

CREATE TABLE :schema.challenges (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL,
	user_internal bigint NOT NULL REFERENCES :schema.users ON DELETE CASCADE,
	session_internal bigint NOT NULL REFERENCES :schema.sessions ON DELETE CASCADE,	-- the one that it is solved with
	factor text NOT NULL,
	code text NOT NULL DEFAULT '',		-- sealed; '': it is no code of ours
	sent_to text NOT NULL DEFAULT '',	-- address or number
	tries integer NOT NULL DEFAULT 0,	-- wrong ones
	expire timestamptz(3) NOT NULL,
	created timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX challenges_id ON :schema.challenges (lower(id));
CREATE INDEX challenges_user ON :schema.challenges (user_internal);
CREATE INDEX challenges_session ON :schema.challenges (session_internal);
