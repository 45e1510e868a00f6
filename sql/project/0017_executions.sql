-- compatible
-- Executions of a function within a time; what a user may read is found by the user.
CREATE INDEX executions_time ON :schema.executions (function, created, internal);
DROP INDEX :schema.executions_read;
