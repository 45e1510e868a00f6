-- compatible
-- Presences: what users say of themselves while they are there, one each. A user's row may go first (there is no reference): whoever sweeps tells that
-- the presence has ended.
CREATE TABLE :schema.presences (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text NOT NULL,
	user_internal bigint NOT NULL,
	user_id text NOT NULL,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL,
	permissions text[] NOT NULL,
	read text[] NOT NULL,	-- roles
	status text NOT NULL,
	source text NOT NULL,	-- rest realtime
	expires timestamptz(3) NOT NULL,
	metadata text NOT NULL	-- JSON object
);
CREATE UNIQUE INDEX presences_id ON :schema.presences (lower(id));
CREATE UNIQUE INDEX presences_user ON :schema.presences (user_internal);
CREATE INDEX presences_expires ON :schema.presences (expires);
CREATE INDEX presences_read ON :schema.presences USING gin (read);

-- The connections that said so: with the last of them a presence of realtime ends.
CREATE TABLE :schema.presence_sockets (
	process text NOT NULL,
	socket text NOT NULL,
	presence bigint NOT NULL REFERENCES :schema.presences ON DELETE CASCADE,
	PRIMARY KEY (process, socket, presence)
);
CREATE INDEX presence_sockets_presence ON :schema.presence_sockets (presence);

-- Who may act as other users, and who did.
ALTER TABLE :schema.users ADD COLUMN impersonator boolean NOT NULL DEFAULT false;
ALTER TABLE :schema.audit ADD COLUMN impersonator text NOT NULL DEFAULT '';
