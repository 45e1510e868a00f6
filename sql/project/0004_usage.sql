-- How the API of this project is used: counts of half hours (kept for days) and of days (kept for months).
CREATE TABLE :schema.usage (
	metric text COLLATE "C" NOT NULL,	-- documents.<database>/<collection>.requests.read, collections.$all.count.total, …
	day boolean NOT NULL,			-- a day, else half an hour
	time timestamptz(0) NOT NULL,		-- its beginning
	value bigint NOT NULL,
	PRIMARY KEY (metric, day, time)
);
