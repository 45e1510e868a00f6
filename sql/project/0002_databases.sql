-- Databases, collections, attributes and indexes of one project. The documents of a collection live in a table of their own,
-- c_<internal number of the collection>, with one column a_<internal number of the attribute> for each attribute; the program
-- makes these tables and columns, and their names never hold text of users.

-- Text of users compares without regard to case and accents (doc/collation.md).
CREATE COLLATION :schema.ci (provider = icu, locale = 'und-u-ks-level1', deterministic = false);

-- Text folded for what a nondeterministic collation cannot do: prefixes, substrings, words.
CREATE FUNCTION :schema.fold(t text) RETURNS text IMMUTABLE PARALLEL SAFE STRICT LANGUAGE sql AS
$$ SELECT lower(regexp_replace(normalize(t COLLATE "und-x-icu", NFKD), '[\u0300-\u036f]+', '', 'g') COLLATE "und-x-icu") $$;

-- Words too common or too short to be worth indexing.
CREATE FUNCTION :schema.common(w text) RETURNS boolean IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$
	SELECT length(w) NOT BETWEEN 3 AND 84 OR w = ANY (ARRAY['about', 'and', 'are', 'com', 'for', 'from', 'how', 'that',
		'the', 'this', 'was', 'what', 'when', 'where', 'who', 'will', 'with', 'und', 'www'])
$$;

-- The words of a text: runs of letters, digits and _, each at its place, without the common ones.
CREATE FUNCTION :schema.words(t text) RETURNS tsvector IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$
	SELECT coalesce(string_agg('''' || m.w[1] || ''':' || least(m.n, 16383), ' '), '')::tsvector
	FROM regexp_matches(:schema.fold(t) COLLATE "und-x-icu", '[[:alnum:]_]+', 'g') WITH ORDINALITY AS m(w, n)
	WHERE NOT :schema.common(m.w[1])
$$;

-- What a search asks for: any of its words, the last one as a prefix; a part in double quotes is a phrase.
CREATE FUNCTION :schema.wanted(t text) RETURNS tsquery IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$
	WITH word AS (
		SELECT s.k, s.k % 2 = 0 AS phrase, m.w[1] AS w, m.n,
			row_number() OVER (ORDER BY s.k DESC, m.n DESC) = 1 AND s.k % 2 = 1 AS prefix
		FROM regexp_split_to_table(t, '"') WITH ORDINALITY AS s(p, k),
			regexp_matches(:schema.fold(s.p) COLLATE "und-x-icu", '[[:alnum:]_]+', 'g') WITH ORDINALITY AS m(w, n)
	), kept AS (
		SELECT *, n - lag(n) OVER (PARTITION BY k ORDER BY n) AS gap FROM word WHERE prefix OR NOT :schema.common(w)
	), term AS (
		SELECT k, string_agg(CASE WHEN gap IS NULL THEN '' WHEN phrase THEN '<' || least(gap, 16384) || '>' ELSE '|' END
			|| '''' || w || '''' || CASE WHEN prefix THEN ':*' ELSE '' END, '' ORDER BY n) AS q
		FROM kept GROUP BY k
	)
	SELECT coalesce(string_agg('(' || q || ')', '|'), '')::tsquery FROM term
$$;

-- An array as one text. array_to_string is only stable because of types whose output depends on settings; ours are not among them.
CREATE FUNCTION :schema.flat(v anyarray) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$ SELECT array_to_string(v, E'\x1f', E'\x1e') $$;

CREATE TABLE :schema.databases (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text COLLATE "C" NOT NULL,
	name text COLLATE :schema.ci NOT NULL,
	search text NOT NULL,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX databases_id ON :schema.databases (lower(id));

CREATE TABLE :schema.collections (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	database bigint NOT NULL REFERENCES :schema.databases ON DELETE CASCADE,
	id text COLLATE "C" NOT NULL,
	name text COLLATE :schema.ci NOT NULL,
	search text NOT NULL,
	enabled boolean NOT NULL DEFAULT true,
	document_security boolean NOT NULL,
	permissions text[] NOT NULL,
	created timestamptz(3) NOT NULL,
	updated timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX collections_id ON :schema.collections (database, lower(id));

CREATE TABLE :schema.attributes (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	collection bigint NOT NULL REFERENCES :schema.collections ON DELETE CASCADE,
	key text COLLATE "C" NOT NULL,
	type text NOT NULL,			-- string integer double boolean datetime
	format text NOT NULL,			-- '' email enum ip url
	size bigint NOT NULL,			-- code points of a string, 0 for the rest
	width int NOT NULL,			-- bytes it counts against the limit of a row
	required boolean NOT NULL,
	"array" boolean NOT NULL,
	min text,				-- JSON number
	max text,				-- JSON number
	elements text[] NOT NULL DEFAULT '{}',
	def text,				-- JSON value
	status text NOT NULL,
	error text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX attributes_key ON :schema.attributes (collection, lower(key));

CREATE TABLE :schema.indexes (
	internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	collection bigint NOT NULL REFERENCES :schema.collections ON DELETE CASCADE,
	key text COLLATE "C" NOT NULL,
	type text NOT NULL,
	attributes text[] NOT NULL,
	orders text[] NOT NULL,
	status text NOT NULL,
	error text NOT NULL DEFAULT ''		-- why it failed, for the operator
);
CREATE UNIQUE INDEX indexes_key ON :schema.indexes (collection, lower(key));
