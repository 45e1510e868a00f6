-- compatible
-- Transactions of clients: what they have staged, and what they have seen.
CREATE TABLE :schema.transactions (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text NOT NULL,
	owner bigint REFERENCES :schema.users ON DELETE CASCADE,	-- NULL: a guest's, a key's or an admin's
	guest boolean NOT NULL,
	status text NOT NULL DEFAULT 'pending',	-- pending committed failed
	operations bigint NOT NULL DEFAULT 0,
	bytes bigint NOT NULL DEFAULT 0,	-- of what is staged and still kept
	documents bigint NOT NULL DEFAULT 0,	-- rows of transaction_documents
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL,
	expires timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX transactions_id ON :schema.transactions (lower(id));
CREATE INDEX transactions_owner ON :schema.transactions ((coalesce(owner, 0)), internal);
CREATE INDEX transactions_expires ON :schema.transactions (expires);
CREATE INDEX transactions_pending ON :schema.transactions (expires) INCLUDE (owner, guest, bytes) WHERE status = 'pending';

CREATE TABLE :schema.transaction_operations (
	transaction bigint NOT NULL REFERENCES :schema.transactions ON DELETE CASCADE,
	internal bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
	n bigint NOT NULL,
	action text NOT NULL,
	database text NOT NULL,
	collection text NOT NULL,
	collection_internal bigint NOT NULL,	-- another one of the same id is not meant
	document text,	-- NULL: of many
	data text NOT NULL,	-- JSON; '' where it is sealed
	sealed text NOT NULL,	-- of a collection with encrypted attributes
	permissions text[],	-- NULL: none were given
	rows boolean NOT NULL,	-- said in words of tables and rows
	PRIMARY KEY (transaction, n)
);

-- As they were when the transaction first met them.
CREATE TABLE :schema.transaction_documents (
	transaction bigint NOT NULL REFERENCES :schema.transactions ON DELETE CASCADE,
	collection bigint NOT NULL,
	document text NOT NULL,	-- in lower case
	version text,	-- xmin of its row; NULL: there was none
	written boolean NOT NULL,	-- false: read alone
	there boolean NOT NULL,	-- to the transaction
	permissions text[],	-- to the transaction; NULL: as they are stored
	PRIMARY KEY (transaction, collection, document)
);
