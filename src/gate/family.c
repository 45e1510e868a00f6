/* A later family of paths (struct family): each row of the routes below its path once more, in its words. Made at the start, for the process. */
#include <stdio.h>

#include "gate_priv.h"

/* What is left of the path below the family's; STR_NONE: it is not below. */
static struct str
below(const struct family *f, const char *path)
{
	size_t n = strlen(f->path);

	return strncmp(path, f->path, n) == 0 && (path[n] == '/' || path[n] == '\0') ? str_c(path + n) : STR_NONE;
}

static const char *
scope_in(const struct family *f, const struct route *r)
{
	for (const struct family_scope *s = f->scopes; s != NULL && s->scope != NULL; s++)
		if (r->scope != NULL && strcmp(s->scope, r->scope) == 0 && (s->segment == NULL || strstr(r->path, s->segment) != NULL))
			return s->scopes;
	return r->scope;
}

static const struct param *
params_in(const struct words *words, const struct route *r)
{
	struct param *v = mem_zalloc(sizeof *v * (size_t)(r->n_params + 1));

	for (int i = 0; i < r->n_params; i++) {
		v[i] = r->params[i];
		v[i].was = v[i].name;
		v[i].name = words_say(NULL, words, v[i].name);
		v[i].doc = words_say(NULL, words, v[i].doc);
		if (v[i].path != NULL)
			v[i].path = v[i].name;
	}
	return v;
}

/* The event in these words; the resource stays, so that one log tells what was done to it whatever it is called. */
static const char *
audit_in(const struct words *words, const char *audit)
{
	struct str rest = str_c(audit), event = str_cut(&rest, ' ');
	char name[WORD_MAX], said[WORD_MAX];
	struct buf b;

	snprintf(name, sizeof name, "%.*s", STR_FMT(event));
	buf_init(&b, NULL, 128);
	buf_c(&b, words_put(words, name, said));
	if (rest.p != NULL) {
		buf_ch(&b, ' ');
		buf_str(&b, rest);
	}
	buf_ch(&b, '\0');
	return b.p;
}

const struct route *
family_route(const struct family *f, const struct route *r)
{
	struct str rest = below(f, r->path);
	const struct words *words = &f->words;
	struct route *to;
	struct buf path;

	if (rest.p == NULL)
		return NULL;
	buf_init(&path, NULL, 128);
	buf_c(&path, f->as);
	buf_c(&path, words_say(NULL, words, rest.p));
	buf_ch(&path, '\0');
	to = mem_zalloc(sizeof *to);
	*to = *r;
	to->path = path.p;
	to->name = r->name ? words_say(NULL, words, r->name) : NULL;
	to->service = r->service ? f->toggle : NULL;
	to->scope = scope_in(f, r);
	to->doc = r->doc ? words_say(NULL, words, r->doc) : NULL;
	to->model = shape_in(words, r->model);
	to->or_model = shape_in(words, r->or_model);
	to->list = r->list ? words_say(NULL, words, r->list) : NULL;
	to->or_list = r->or_list ? words_say(NULL, words, r->or_list) : NULL;
	to->audit = r->audit ? audit_in(words, r->audit) : NULL;
	to->params = params_in(words, r);
	to->since = r->since > f->since ? r->since : f->since;
	return to;
}
