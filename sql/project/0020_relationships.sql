-- compatible
-- Relationships: an attribute that names documents of another collection, or of its own. What is linked stands in a table of its own for each of them,
-- r_<number of the attribute on the parent's side>, with the creation numbers of the two documents; the program makes these tables.
ALTER TABLE :schema.attributes ADD COLUMN relation bigint,	-- number of the parent's side, for both sides; NULL: it is none
	ADD COLUMN related bigint REFERENCES :schema.collections ON DELETE CASCADE,
	ADD COLUMN relation_type text,				-- oneToOne oneToMany manyToOne manyToMany
	ADD COLUMN two_way boolean,
	ADD COLUMN two_way_key text,
	ADD COLUMN on_delete text,				-- restrict cascade setNull
	ADD COLUMN side text;					-- parent child
CREATE INDEX attributes_related ON :schema.attributes (related) WHERE related IS NOT NULL;
CREATE INDEX attributes_relation ON :schema.attributes (relation) WHERE relation IS NOT NULL;
