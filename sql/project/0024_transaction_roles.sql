-- compatible
-- Whose permissions an operation is carried out by, whoever commits. NULL: a key's or an admin's, whose permissions are not asked. What an older process stages may nothing.
ALTER TABLE :schema.transaction_operations ADD COLUMN roles text[] DEFAULT '{}';
