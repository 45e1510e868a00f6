-- compatible
-- An identifier is taken among those of its kind: a push token takes nobody's address.
DROP INDEX :schema.targets_identifier;
CREATE UNIQUE INDEX targets_identifier ON :schema.targets (identifier, provider_type);

-- Whether the provider vouched for the address: only then it is somebody's. What is there is nobody's until they come again.
ALTER TABLE :schema.identities ADD COLUMN email_vouched boolean NOT NULL DEFAULT false;
