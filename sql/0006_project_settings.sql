-- compatible: programs before this one neither see these columns nor the table, and their projects get the defaults
-- How a project's users sign in, and what else is set for it. The defaults are those of a project that is made today; what there is keeps its ways.
ALTER TABLE badal.projects
	ADD COLUMN region text COLLATE "C" NOT NULL DEFAULT 'default',
	ADD COLUMN status text COLLATE "C" NOT NULL DEFAULT 'active',
	ADD COLUMN labels text[] NOT NULL DEFAULT '{}',
	ADD COLUMN ping_count bigint NOT NULL DEFAULT 0,
	ADD COLUMN pinged timestamptz(3),
	ADD COLUMN console_accessed timestamptz(3),
	ADD COLUMN protocols jsonb NOT NULL DEFAULT '{}',		-- rest, graphql, websocket -> boolean; missing: on
	ADD COLUMN session_duration bigint NOT NULL DEFAULT 31536000,	-- seconds
	ADD COLUMN sessions_limit bigint NOT NULL DEFAULT 10,		-- of a user; 0: none
	ADD COLUMN password_history bigint NOT NULL DEFAULT 0,		-- former passwords that are refused
	ADD COLUMN password_dictionary boolean NOT NULL DEFAULT false,
	ADD COLUMN password_personal boolean NOT NULL DEFAULT false,
	ADD COLUMN strength_min bigint NOT NULL DEFAULT 8,
	ADD COLUMN strength_uppercase boolean NOT NULL DEFAULT false,
	ADD COLUMN strength_lowercase boolean NOT NULL DEFAULT false,
	ADD COLUMN strength_number boolean NOT NULL DEFAULT false,
	ADD COLUMN strength_symbols boolean NOT NULL DEFAULT false,
	ADD COLUMN session_alerts boolean NOT NULL DEFAULT false,
	ADD COLUMN invalidate_sessions boolean NOT NULL DEFAULT true,
	ADD COLUMN members_user_name boolean NOT NULL DEFAULT false,	-- what clients see of the members of a team
	ADD COLUMN members_user_email boolean NOT NULL DEFAULT false,
	ADD COLUMN members_user_phone boolean NOT NULL DEFAULT false,
	ADD COLUMN members_user_id boolean NOT NULL DEFAULT false,
	ADD COLUMN members_mfa boolean NOT NULL DEFAULT false,
	ADD COLUMN members_accessed boolean NOT NULL DEFAULT false,
	ADD COLUMN factor_totp boolean NOT NULL DEFAULT true,		-- second factors that may be used
	ADD COLUMN factor_email boolean NOT NULL DEFAULT true,
	ADD COLUMN factor_phone boolean NOT NULL DEFAULT true,
	ADD COLUMN factor_custom boolean NOT NULL DEFAULT false,
	ADD COLUMN deny_disposable boolean NOT NULL DEFAULT false,	-- addresses that are refused
	ADD COLUMN deny_aliased boolean NOT NULL DEFAULT false,
	ADD COLUMN deny_free boolean NOT NULL DEFAULT false,
	ADD COLUMN deny_corporate boolean NOT NULL DEFAULT false;
UPDATE badal.projects SET sessions_limit = 0, invalidate_sessions = false, members_user_name = true, members_user_email = true, members_user_id = true, members_mfa = true;

-- Phone numbers that are sent nothing: their code is always this one.
CREATE TABLE badal.mock_numbers (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	project bigint NOT NULL REFERENCES badal.projects ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,	-- the number, E.164
	otp text COLLATE "C" NOT NULL,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX mock_numbers_id ON badal.mock_numbers (project, lower(id));
