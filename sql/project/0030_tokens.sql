-- compatible
-- Wrong tries at a code while it was good: after a few it is good no more.
ALTER TABLE :schema.tokens ADD COLUMN tries integer NOT NULL DEFAULT 0;
