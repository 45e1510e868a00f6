-- compatible: programs before this one do not know the tables
-- Functions, their variables, deployments (with the build of each) and executions. Archives and builds are blobs in the places "deployments" and "builds"
-- of the function; a row here says that they are there.

CREATE TABLE :schema.functions (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL,
	name text COLLATE :schema.ci NOT NULL,
	search text NOT NULL,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL,
	execute text[] NOT NULL,		-- roles that may run it
	enabled boolean NOT NULL,
	runtime text COLLATE "C" NOT NULL,
	deployment text COLLATE "C" NOT NULL,	-- the id of the active one; ''
	events text[] NOT NULL,
	schedule text NOT NULL,
	schedule_next timestamptz(3),		-- badal.schedules knows it, too
	schedule_previous timestamptz(3),
	timeout bigint NOT NULL,		-- seconds
	generation text COLLATE "C" NOT NULL,	-- of the handler: v2 (req, res), v5 (context), '': by arity
	entrypoint text NOT NULL,		-- of deployments that bring none
	keep_warm boolean NOT NULL,
	revision bigint NOT NULL,		-- counts changes after which a process of before takes no run any more
	activations bigint NOT NULL,		-- counts deployments that were to become the active one
	live bigint NOT NULL			-- which of them it is
);
CREATE UNIQUE INDEX functions_id ON :schema.functions (lower(id));
CREATE INDEX functions_events ON :schema.functions (internal) WHERE events <> '{}';
CREATE INDEX functions_schedule ON :schema.functions (schedule_next) WHERE schedule_next IS NOT NULL;

CREATE TABLE :schema.variables (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	function bigint NOT NULL REFERENCES :schema.functions ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL,
	key text COLLATE "C" NOT NULL,
	value text NOT NULL			-- sealed
);
CREATE UNIQUE INDEX variables_id ON :schema.variables (function, lower(id));
CREATE UNIQUE INDEX variables_key ON :schema.variables (function, key);

CREATE TABLE :schema.deployments (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	function bigint NOT NULL REFERENCES :schema.functions ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,
	search text NOT NULL,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL,
	entrypoint text NOT NULL,
	activate boolean NOT NULL,		-- when it is built; of one deployment of the function at most
	activation bigint NOT NULL,		-- which in order was to become the active one; 0: never
	-- while it is uploaded, as of files (0013)
	size bigint NOT NULL,
	chunks_total bigint NOT NULL,
	chunks_uploaded bigint NOT NULL,
	complete boolean NOT NULL,
	chunk bigint NOT NULL,
	received bigint NOT NULL,
	unbroken bigint NOT NULL,
	changes bigint NOT NULL,
	-- its build
	build text COLLATE "C" NOT NULL,	-- the id; '' until it is complete
	status text COLLATE "C" NOT NULL,	-- processing, building, ready, failed
	build_stdout text NOT NULL DEFAULT '',
	build_stderr text NOT NULL DEFAULT '',
	build_start timestamptz(3),
	build_end timestamptz(3),
	build_try bigint NOT NULL,		-- counts them: who finishes an earlier one writes nothing
	-- what came of it; '' until it is ready
	blob text COLLATE "C" NOT NULL DEFAULT '',
	blob_bind text COLLATE "C" NOT NULL DEFAULT '',
	blob_size bigint NOT NULL DEFAULT 0,
	stored bigint NOT NULL DEFAULT 0,
	coding smallint NOT NULL DEFAULT 0,
	sealed bigint NOT NULL DEFAULT 0,
	md5 text COLLATE "C" NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX deployments_id ON :schema.deployments (lower(id));
CREATE INDEX deployments_order ON :schema.deployments (function, internal);
CREATE INDEX deployments_unfinished ON :schema.deployments (updated) WHERE NOT complete;
CREATE INDEX deployments_building ON :schema.deployments (updated) WHERE complete AND status IN ('processing', 'building');

CREATE TABLE :schema.deployment_parts (
	deployment bigint NOT NULL REFERENCES :schema.deployments ON DELETE CASCADE,
	start bigint NOT NULL,			-- its place in the archive
	size bigint NOT NULL,
	blob text COLLATE "C" NOT NULL,		-- its name on the device, in the function's place
	stored bigint NOT NULL,
	coding smallint NOT NULL,
	sealed bigint NOT NULL,
	md5 text COLLATE "C" NOT NULL,
	PRIMARY KEY (deployment, start)
);
CREATE INDEX deployment_parts_blob ON :schema.deployment_parts (blob);
CREATE INDEX deployments_blob ON :schema.deployments (blob) WHERE blob <> '';

-- Blobs that have no row any more; a job removes them. blob '': all of the function's.
CREATE TABLE :schema.deployment_waste (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	function bigint NOT NULL,
	blob text COLLATE "C" NOT NULL
);
CREATE TABLE :schema.build_waste (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	function bigint NOT NULL,
	blob text COLLATE "C" NOT NULL
);

-- Many, and each is written two or three times: a job removes those of a deleted function, for a cascade would take as long as there are rows.
CREATE TABLE :schema.executions (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	function bigint NOT NULL,
	id text COLLATE "C" NOT NULL,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL,
	permissions text[] NOT NULL,
	read text[] NOT NULL,			-- the roles that may read it
	deployment text COLLATE "C" NOT NULL,	-- id
	trigger text COLLATE "C" NOT NULL,	-- http, event, schedule
	event text NOT NULL,			-- its first name; '' for others
	cause text COLLATE "C" NOT NULL,	-- what makes a repeated job the same execution: of an event its id, of a schedule the time; '' for others
	depth bigint NOT NULL,			-- executions that led to it, one by the other
	user_id text COLLATE "C" NOT NULL,	-- on whose behalf; ''
	status text COLLATE "C" NOT NULL,	-- waiting, processing, completed, failed, scheduled
	status_code bigint NOT NULL,		-- of the answer; 0
	response text NOT NULL,			-- its body, of the form of 1.0
	stdout text NOT NULL,			-- logs
	stderr text NOT NULL,			-- errors
	duration double precision NOT NULL,	-- seconds of the run
	method text COLLATE "C" NOT NULL,
	path text NOT NULL,
	request_headers text NOT NULL,		-- JSON: [{"name":…,"value":…},…], those that are kept
	response_headers text NOT NULL,
	scheduled timestamptz(3),		-- when it is to begin, of one that is put off
	began timestamptz(3),
	pending text				-- what the run is to get, while it waits: JSON
);
CREATE UNIQUE INDEX executions_id ON :schema.executions (lower(id));
CREATE UNIQUE INDEX executions_cause ON :schema.executions (function, cause) WHERE cause <> '';
CREATE INDEX executions_order ON :schema.executions (function, internal);
CREATE INDEX executions_status ON :schema.executions (function, status, internal);
CREATE INDEX executions_trigger ON :schema.executions (function, trigger, internal);
CREATE INDEX executions_code ON :schema.executions (function, status_code, internal);
CREATE INDEX executions_duration ON :schema.executions (function, duration, internal);
CREATE INDEX executions_created ON :schema.executions (created);
CREATE INDEX executions_user ON :schema.executions (user_id, function, internal) WHERE user_id <> '';
CREATE INDEX executions_read ON :schema.executions USING gin (read);
CREATE INDEX executions_unfinished ON :schema.executions (updated) WHERE status IN ('waiting', 'processing');
CREATE INDEX executions_scheduled ON :schema.executions (scheduled) WHERE status = 'scheduled';
