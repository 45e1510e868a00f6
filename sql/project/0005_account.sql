-- Who somebody is at OAuth2 providers: the provider's own id of the user finds the user again, whatever becomes of the e-mail.
CREATE TABLE :schema.identities (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_internal bigint NOT NULL REFERENCES :schema.users ON DELETE CASCADE,
	provider text COLLATE "C" NOT NULL,
	provider_uid text COLLATE "C" NOT NULL,
	created timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX identities_provider ON :schema.identities (provider, provider_uid);
CREATE INDEX identities_user ON :schema.identities (user_internal);
