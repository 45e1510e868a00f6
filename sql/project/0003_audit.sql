-- Who did what to which resource, for the log lists. Written in batches, trimmed by age.
CREATE TABLE :schema.audit (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id text COLLATE "C" NOT NULL,
	user_name text NOT NULL,
	user_email text NOT NULL,
	event text COLLATE "C" NOT NULL,
	resource text COLLATE "C" NOT NULL,	-- "team/<id>", "database/<id>/collection/<id>", …
	mode text COLLATE "C" NOT NULL,		-- default or admin
	ip text NOT NULL,
	user_agent text NOT NULL,
	created timestamptz(3) NOT NULL
);
CREATE INDEX audit_user ON :schema.audit (lower(user_id), internal);
CREATE INDEX audit_resource ON :schema.audit (lower(resource), internal);
CREATE INDEX audit_created ON :schema.audit (created);
