-- Names of people and teams compare as all other text does (doc/collation.md).
ALTER TABLE :schema.users ALTER COLUMN name TYPE text COLLATE :schema.ci;
ALTER TABLE :schema.teams ALTER COLUMN name TYPE text COLLATE :schema.ci;
