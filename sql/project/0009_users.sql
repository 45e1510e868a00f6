-- What travels by mail or SMS ends when the account it opens changes: it holds the user's epoch of when it was made.
ALTER TABLE :schema.users ADD COLUMN epoch bigint NOT NULL DEFAULT 0;	-- moves when password, address or status change

-- Whose account it is: an address is proved when nobody but its reader can hold the account, for what was sent there let the reader in. That it is
-- "verified" tells only that somebody reads there, who may have opened a link that somebody else asked for. What is verified so far counts as
-- proved.
ALTER TABLE :schema.users ADD COLUMN email_proved boolean NOT NULL DEFAULT false;
ALTER TABLE :schema.users ADD COLUMN phone_proved boolean NOT NULL DEFAULT false;
UPDATE :schema.users SET email_proved = email_verification, phone_proved = phone_verification WHERE email_verification OR phone_verification;

ALTER TABLE :schema.tokens ADD COLUMN epoch bigint NOT NULL DEFAULT 0;

-- Invitations.
ALTER TABLE :schema.memberships ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
ALTER TABLE :schema.memberships ADD COLUMN expire timestamptz(3);		-- NULL, of before: life_invitation after `invited`
ALTER TABLE :schema.memberships ADD COLUMN sent_to text COLLATE "C";		-- NULL, of before, or when none was sent: it proves no address
