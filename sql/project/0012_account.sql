-- compatible: programs before this one leave it false
-- Whether the secret was shown to whoever asked for it (the console, in admin mode): then its use does not prove who reads at the address.
ALTER TABLE :schema.tokens ADD COLUMN shown boolean NOT NULL DEFAULT false;
