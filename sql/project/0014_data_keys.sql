-- compatible
-- What the blobs of the project are sealed under; each key itself is sealed with the master key.
CREATE TABLE :schema.data_keys (
	number bigint PRIMARY KEY,
	secret text NOT NULL,
	created timestamptz NOT NULL
);
