-- compatible: programs before this one keep no ID tokens, and sign nobody in by one
-- The one that an app signed in by last, sealed.
ALTER TABLE :schema.identities ADD COLUMN id_token text NOT NULL DEFAULT '';

-- ID tokens that have made a session, by the hash of what was signed, as long as they would be good.
CREATE TABLE :schema.id_tokens (
	hash bytea PRIMARY KEY,
	expire timestamptz NOT NULL
);
CREATE INDEX id_tokens_expire ON :schema.id_tokens (expire);
