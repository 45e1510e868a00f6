-- Why an attribute or index failed is said in words of ours; what PostgreSQL said is in the log.
UPDATE :schema.attributes SET error = 'the database refused it' WHERE error LIKE 'sqlstate=%';
UPDATE :schema.indexes SET error = 'the database refused it' WHERE error LIKE 'sqlstate=%';
