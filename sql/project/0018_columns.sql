-- compatible
-- What databases, attributes and indexes say to clients of later versions.
ALTER TABLE :schema.databases ADD COLUMN enabled boolean NOT NULL DEFAULT true, ADD COLUMN type text NOT NULL DEFAULT 'legacy';

ALTER TABLE :schema.attributes ADD COLUMN encrypt boolean NOT NULL DEFAULT false,	-- values are sealed
	ADD COLUMN created timestamptz(3) NOT NULL DEFAULT now(), ADD COLUMN updated timestamptz(3) NOT NULL DEFAULT now();
UPDATE :schema.attributes a SET created = c.created, updated = c.created FROM :schema.collections c WHERE c.internal = a.collection;

ALTER TABLE :schema.indexes ADD COLUMN lengths bigint[] NOT NULL DEFAULT '{}',	-- characters of each attribute; NULL: all
	ADD COLUMN created timestamptz(3) NOT NULL DEFAULT now(), ADD COLUMN updated timestamptz(3) NOT NULL DEFAULT now();
UPDATE :schema.indexes i SET created = c.created, updated = c.created FROM :schema.collections c WHERE c.internal = i.collection;
