-- compatible: older programs count each time
-- Each change of a document takes a number, by which totals of lists that were counted are known to be true still (src/model/query_total.c).

-- Never called: the condition of its triggers takes the number and is never true.
CREATE FUNCTION :schema.counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

DO $$
DECLARE
	x record;
BEGIN
	FOR x IN SELECT format('%I.c_%s', ':schema', internal) AS c, format('%I.v_%s', ':schema', internal) AS v FROM :schema.collections LOOP
		CONTINUE WHEN to_regclass(x.c) IS NULL;
		EXECUTE format('CREATE SEQUENCE IF NOT EXISTS %s OWNED BY %s._id', x.v, x.c);
		EXECUTE format('CREATE TRIGGER counted AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW WHEN (nextval(%L) IS NULL) EXECUTE FUNCTION %I.counted()',
			x.c, x.v, ':schema');
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER counted', x.c);
	END LOOP;
END
$$;
