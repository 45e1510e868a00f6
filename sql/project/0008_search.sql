-- Words of every script. Until now a word ended at each vowel sign or tone that is a character of its own: texts in Hindi, Tamil, Thai or
-- Japanese lost most of theirs, and what was written with vowels in Arabic or Hebrew was not found without them.

-- Folded text, without the points of Hebrew and Arabic, the voicing marks of Japanese, joiners and variation selectors.
CREATE FUNCTION :schema.bare(t text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$
	SELECT CASE WHEN octet_length(t) = length(t) THEN lower(t COLLATE "C") ELSE regexp_replace(:schema.fold(t) COLLATE "C",
		'[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed'
		'\u200d\u3099\u309a\ufe00-\ufe0f]+', '', 'g') END
$$;

-- A word as a regular expression: letters, digits, _, and the marks that letters carry and that are none themselves.
CREATE FUNCTION :schema.word() RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$
	SELECT '[[:alnum:]_'
		'\u0483-\u0489'						-- Cyrillic
		'\u0711-\u07f3\u07fd\u0816-\u082d\u0859-\u085b\u0898-\u08e1'	-- Syriac, Thaana, N'Ko, Samaritan, Mandaic, Arabic
		'\u08e3-\u0963'						-- Devanagari, without its punctuation
		'\u0981-\u09e3\u09fe-\u0a75\u0a81-\u0ae3\u0afa-\u0b63'	-- Bengali, Gurmukhi, Gujarati, Odia
		'\u0b82-\u0bd7\u0c00-\u0c63\u0c81-\u0c83\u0cbc-\u0d4d\u0d57\u0d62\u0d63\u0d81-\u0df3'	-- Tamil, Telugu, Kannada, Malayalam, Sinhala
		'\u0e31-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ecd'			-- Thai, Lao
		'\u0f18\u0f19\u0f35\u0f37\u0f39\u0f3e-\u0f84\u0f86-\u0fbc\u0fc6'	-- Tibetan
		'\u102b-\u103e\u1056-\u109d\u135d-\u135f'			-- Burmese, Ethiopic
		'\u1712-\u1734\u1752-\u17d3\u17dd\u180b-\u180d\u180f-\u193b'	-- of the Philippines, Khmer, Mongolian, Limbu
		'\u1a17-\u1a1b\u1a55-\u1a7f\u1ab0-\u1b44\u1b6b-\u1b73\u1b80-\u1bf3\u1c24-\u1c37'	-- Buginese, Tai Tham, Balinese, Sundanese, Lepcha
		'\u1cd0-\u1cd2\u1cd4-\u1dff\u20d0-\u20f0\u2cef-\u2cf1\u2d7f-\u2dff\u302a-\u302f'	-- Vedic, symbols, Coptic, Tifinagh, tones
		'\ua66f-\ua672\ua674-\ua67d\ua69e\ua69f\ua6f0\ua6f1\ua802-\ua827\ua82c\ua880-\ua8c5\ua8e0-\ua8f1\ua8ff-\ua92d\ua947-\ua953'
		'\ua980-\ua9c0\ua9e5-\uaa4d\uaa7b-\uaac1\uaaeb-\uaaef\uaaf5\uaaf6\uabe3-\uabea\uabec\uabed\ufe20-\ufe2f'	-- Javanese, Cham, Meetei …
		']+'
$$;

-- The words of a text, each at its place, without the common ones.
CREATE OR REPLACE FUNCTION :schema.words(t text) RETURNS tsvector IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$
	SELECT coalesce(string_agg('''' || m.w[1] || ''':' || least(m.n, 16383), ' '), '')::tsvector
	FROM regexp_matches(:schema.bare(t) COLLATE "und-x-icu", :schema.word(), 'g') WITH ORDINALITY AS m(w, n)
	WHERE NOT :schema.common(m.w[1])
$$;

-- What a search asks for. A last word longer than any word of an index is left out: as a prefix of 2 kB it was an error.
CREATE OR REPLACE FUNCTION :schema.wanted(t text) RETURNS tsquery IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$
	WITH word AS (
		SELECT s.k, s.k % 2 = 0 AS phrase, m.w[1] AS w, m.n,
			row_number() OVER (ORDER BY s.k DESC, m.n DESC) = 1 AND s.k % 2 = 1 AS prefix
		FROM regexp_split_to_table(t, '"') WITH ORDINALITY AS s(p, k),
			regexp_matches(:schema.bare(s.p) COLLATE "und-x-icu", :schema.word(), 'g') WITH ORDINALITY AS m(w, n)
	), kept AS (
		SELECT *, n - lag(n) OVER (PARTITION BY k ORDER BY n) AS gap FROM word
		WHERE CASE WHEN prefix THEN length(w) <= 84 ELSE NOT :schema.common(w) END
	), term AS (
		SELECT k, string_agg(CASE WHEN gap IS NULL THEN '' WHEN phrase THEN '<' || least(gap, 16384) || '>' ELSE '|' END
			|| '''' || w || '''' || CASE WHEN prefix THEN ':*' ELSE '' END, '' ORDER BY n) AS q
		FROM kept GROUP BY k
	)
	SELECT coalesce(string_agg('(' || q || ')', '|'), '')::tsquery FROM term
$$;

-- The indexes hold the words of before.
DO $$
DECLARE
	x regclass;
BEGIN
	FOR x IN SELECT k.oid FROM :schema.indexes i JOIN pg_class k ON k.relname = 'i_' || i.internal AND k.relnamespace = ':schema'::regnamespace
		WHERE i.type = 'fulltext' LOOP
		EXECUTE format('REINDEX INDEX %s', x);
	END LOOP;
END
$$;
