-- compatible
-- What accounts, sessions and teams say to clients of later versions.
ALTER TABLE :schema.users ADD COLUMN labels text[] NOT NULL DEFAULT '{}',	-- roles that the app's server gave
	ADD COLUMN labelled timestamptz(3),		-- when it did
	ADD COLUMN accessed timestamptz(3);		-- last use, by the day

ALTER TABLE :schema.sessions ADD COLUMN updated timestamptz(3),	-- NULL: not since it was made
	ADD COLUMN factors text[];			-- of the sign-in; NULL: as its provider says

ALTER TABLE :schema.teams ADD COLUMN prefs text NOT NULL DEFAULT '{}';	-- JSON in the caller's order
