-- A secret proves who reads at the address that it was sent to, and no other: not at the one that the user has changed to since.
ALTER TABLE :schema.tokens ADD COLUMN sent_to text COLLATE "C";	-- e-mail address or phone number; NULL: sent nowhere, or before this column
