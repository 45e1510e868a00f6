-- Texts of any length in every index.

-- Folded text. Most texts are plain ASCII: folding those is changing their case, many times faster.
CREATE OR REPLACE FUNCTION :schema.fold(t text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$
	SELECT CASE WHEN octet_length(t) = length(t) THEN lower(t COLLATE "C")
		ELSE lower(regexp_replace(normalize(t COLLATE "und-x-icu", NFKD), '[\u0300-\u036f]+', '', 'g') COLLATE "und-x-icu") COLLATE "C" END
$$;

-- The words of a text, each at its place, without the common ones. A tsvector holds 1 MiB: folding can make eighteen characters of one, and
-- several attributes come together in one index. 200,000 characters fit, whatever they are.
CREATE OR REPLACE FUNCTION :schema.words(t text) RETURNS tsvector IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$
	SELECT coalesce(string_agg('''' || m.w[1] || ''':' || least(m.n, 16383), ' '), '')::tsvector
	FROM regexp_matches(left(:schema.bare(t), 200000) COLLATE "und-x-icu", :schema.word(), 'g') WITH ORDINALITY AS m(w, n)
	WHERE NOT :schema.common(m.w[1])
$$;

-- The elements of a list by their hashes, which are equal where the elements are: an entry of an index holds less than an element may.
CREATE FUNCTION :schema.hashes(v text[]) RETURNS bigint[] IMMUTABLE PARALLEL SAFE STRICT LANGUAGE sql AS
$$ SELECT coalesce(array_agg(hashtextextended(e COLLATE :schema.ci, 0)), '{}') FROM unnest(v) AS e WHERE e IS NOT NULL $$;

-- The indexes of such lists.
DO $$
DECLARE
	x record;
BEGIN
	FOR x IN SELECT format('i_%s%s', i.internal, CASE i.type WHEN 'unique' THEN '_h' ELSE '' END) AS name, i.collection, a.internal AS attribute
		FROM :schema.indexes i JOIN :schema.attributes a ON a.collection = i.collection AND a.key = i.attributes[1]
		WHERE i.type IN ('key', 'unique') AND cardinality(i.attributes) = 1 AND a.type = 'string' AND a."array" AND a.size > 650 LOOP
		CONTINUE WHEN to_regclass(format('%I.%I', ':schema', x.name)) IS NULL;
		EXECUTE format('DROP INDEX %I.%I', ':schema', x.name);
		EXECUTE format('CREATE INDEX %I ON %I.c_%s USING gin (%I.hashes(a_%s))', x.name, ':schema', x.collection, ':schema', x.attribute);
	END LOOP;
END
$$;
