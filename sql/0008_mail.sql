-- compatible: programs before this one do not know columns and table
-- A mail server of a project's own, and its own words of mails, which count only with it.
ALTER TABLE badal.projects
	ADD COLUMN smtp_enabled boolean NOT NULL DEFAULT false,
	ADD COLUMN smtp_host text NOT NULL DEFAULT '',
	ADD COLUMN smtp_port int NOT NULL DEFAULT 0,
	ADD COLUMN smtp_secure text NOT NULL DEFAULT '',	-- tls, ssl
	ADD COLUMN smtp_username text NOT NULL DEFAULT '',
	ADD COLUMN smtp_password text NOT NULL DEFAULT '',	-- sealed
	ADD COLUMN smtp_sender_name text NOT NULL DEFAULT '',
	ADD COLUMN smtp_sender_email text NOT NULL DEFAULT '',
	ADD COLUMN smtp_reply_to_name text NOT NULL DEFAULT '',
	ADD COLUMN smtp_reply_to_email text NOT NULL DEFAULT '';
CREATE TABLE badal.mail_templates (
	seq bigint GENERATED ALWAYS AS IDENTITY,
	project bigint NOT NULL REFERENCES badal.projects ON DELETE CASCADE,
	kind text COLLATE "C" NOT NULL,
	locale text COLLATE "C" NOT NULL,
	subject text NOT NULL,
	message text NOT NULL,
	sender_name text NOT NULL,
	sender_email text NOT NULL,
	reply_to_name text NOT NULL,
	reply_to_email text NOT NULL,
	created timestamptz(3) NOT NULL,
	PRIMARY KEY (project, kind, locale)
);
