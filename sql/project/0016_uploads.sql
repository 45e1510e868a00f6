-- compatible
-- What somebody's unfinished uploads hold is summed up with each part that comes.
CREATE INDEX files_uploader ON :schema.files (uploader) WHERE NOT complete;
