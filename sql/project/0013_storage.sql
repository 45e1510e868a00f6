-- compatible: programs before this one do not know the tables
-- Buckets, files, and the parts that a file's bytes came in. The bytes are on the storage device (blobs); a row here says that they are there.

CREATE TABLE :schema.buckets (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL,
	name text COLLATE :schema.ci NOT NULL,
	search text NOT NULL,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL,
	permissions text[] NOT NULL,
	file_security boolean NOT NULL,
	enabled boolean NOT NULL,
	maximum_file_size bigint NOT NULL,
	allowed_file_extensions text[] NOT NULL,
	compression text NOT NULL,
	encryption boolean NOT NULL,
	antivirus boolean NOT NULL
);
CREATE UNIQUE INDEX buckets_id ON :schema.buckets (lower(id));

CREATE TABLE :schema.files (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	bucket bigint NOT NULL REFERENCES :schema.buckets ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,
	name text COLLATE :schema.ci NOT NULL,
	search text NOT NULL,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL,
	permissions text[] NOT NULL,
	read text[] NOT NULL,			-- the roles that may read it, of its permissions
	signature text NOT NULL,		-- MD5 of what is on the device; '' until it is complete
	mime_type text NOT NULL,		-- '' until it is complete
	size_original bigint NOT NULL,		-- of the whole file
	size_actual bigint NOT NULL,		-- on the device; 0 until it is complete
	chunks_total bigint NOT NULL,
	chunks_uploaded bigint NOT NULL,	-- of the unbroken start
	complete boolean NOT NULL,
	-- while it is uploaded
	uploader text NOT NULL,			-- who began it and may go on: user:<id>, guest:<address>, or '' (keys and admins)
	chunk bigint NOT NULL,			-- bytes of a chunk; 0: only the last one has come
	received bigint NOT NULL,		-- bytes of all parts
	unbroken bigint NOT NULL,		-- bytes of those from the start without a gap
	changes bigint NOT NULL			-- counts parts that came: whoever read them finds out that there are others
);
CREATE UNIQUE INDEX files_id ON :schema.files (bucket, lower(id));
CREATE INDEX files_read ON :schema.files USING gin (read);
CREATE INDEX files_order ON :schema.files (bucket, internal);
CREATE INDEX files_unfinished ON :schema.files (updated) WHERE NOT complete;

CREATE TABLE :schema.file_parts (
	file bigint NOT NULL REFERENCES :schema.files ON DELETE CASCADE,
	start bigint NOT NULL,			-- its place in the file
	size bigint NOT NULL,
	blob text COLLATE "C" NOT NULL,		-- its name on the device, in the bucket's place
	stored bigint NOT NULL,			-- bytes there
	coding smallint NOT NULL,		-- 0 none, 1 gzip, 2 zstd
	sealed bigint NOT NULL,			-- the data key; 0: none
	md5 text COLLATE "C" NOT NULL,		-- of the stored bytes
	PRIMARY KEY (file, start)
);
CREATE INDEX file_parts_blob ON :schema.file_parts (blob);

-- Blobs that have no row any more, written with what took it from them; a job removes them. blob '': all of the bucket's.
CREATE TABLE :schema.file_waste (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	bucket bigint NOT NULL,
	blob text COLLATE "C" NOT NULL
);

-- The console has a bucket from the start.
INSERT INTO :schema.buckets (id, name, search, created, updated, permissions, file_security, enabled, maximum_file_size, allowed_file_extensions, compression,
	encryption, antivirus)
SELECT 'default', 'Default', 'default Default', now(), now(), ARRAY['create("any")', 'read("any")', 'update("any")', 'delete("any")'], true, true, 30000000, '{}',
	'gzip', true, true
WHERE ':schema' = 'p_0';
