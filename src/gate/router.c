/* The route tables, compiled into one tree of path segments. Static segments come before placeholders; a node answers only for the
 * methods it has, so "/users/usage" (GET) and "/users/:userId" (DELETE) do not hide each other. The whole path counts, but for one
 * slash at its end: a longer or shorter one is another request. */
#include <stdio.h>
#include <stdlib.h>

#include "gate_priv.h"
#include "model/usage.h"

enum { DEPTH_MAX = 16 };

struct node {
	struct str segment;		/* of the pattern; empty: a placeholder */
	struct node **kids;		/* static ones */
	int n_kids;
	struct node *any;		/* placeholder */
	const struct route_info *route[METHOD_N];
	const struct route_info *below[METHOD_N];	/* ROUTE_BELOW */
};

struct router {
	struct node root;
	const struct route_info **all;
	int n;
};

static const char *const method_names[METHOD_N] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

static _Noreturn void
router_refuse(const struct route *r, const char *why)
{
	fprintf(stderr, "route %s %s: %s\n", r->method, r->path, why);
	abort();
}

bool
method_parse(struct str s, enum method *out)
{
	for (int i = 0; i < METHOD_N; i++)
		if (str_is(s, method_names[i])) {
			*out = (enum method)i;
			return true;
		}
	*out = METHOD_GET;
	return str_is(s, "HEAD");
}

const char *
method_name(enum method m)
{
	return method_names[m];
}

static struct node *
node_child(struct node *n, struct str segment)
{
	struct node *kid;

	if (segment.n > 0 && segment.p[0] == ':') {
		if (n->any == NULL)
			n->any = mem_zalloc(sizeof *n->any);
		return n->any;
	}
	for (int i = 0; i < n->n_kids; i++)
		if (str_eq(n->kids[i]->segment, segment))
			return n->kids[i];
	kid = mem_zalloc(sizeof *kid);
	kid->segment = segment;
	n->kids = mem_realloc(n->kids, sizeof(struct node *) * (size_t)(n->n_kids + 1));
	return n->kids[n->n_kids++] = kid;
}

static int
router_place_of(const struct route_info *i, const struct param *p)
{
	if (p->path == NULL)
		return PLACE_BODY;
	for (int k = 0; k < i->n_args; k++)
		if (str_is(i->args[k], p->name))
			return k;
	router_refuse(i->route, "a path parameter has no placeholder");
}

/* Parameters against the pattern: each PATH() row has its placeholder, defaults are JSON. */
static void
compile_params(struct route_info *i)
{
	const struct route *r = i->route;

	i->places = mem_zalloc(sizeof(int) * (size_t)(r->n_params + 1));
	i->defaults = mem_zalloc(sizeof(json_t *) * (size_t)(r->n_params + 1));
	for (int k = 0; k < r->n_params; k++) {
		const struct param *p = &r->params[k];

		i->places[k] = router_place_of(i, p);
		i->nul = i->nul || p->type == P_DATA;
		if ((p->type == P_ENUM || p->type == P_ENUM_NOCASE || p->type == P_ENUMS || p->type == P_PERMISSIONS) && p->list == NULL)
			router_refuse(r, "a parameter needs a list");
		if (p->def != NULL && (i->defaults[k] = json_loads(p->def, JSON_DECODE_ANY, NULL)) == NULL)
			router_refuse(r, "a default is not JSON");
	}
}

static struct route_info *
router_compile(const struct route *r)
{
	struct route_info *i = mem_zalloc(sizeof *i);
	struct str rest = str_c(r->path);

	i->route = r;
	i->path = r->path;
	i->tag = r->service;
	if (r->handler == NULL || r->path[0] != '/')
		router_refuse(r, "no handler, or not a path");
	str_cut(&rest, '/');
	while (rest.p != NULL) {
		struct str segment = str_cut(&rest, '/');

		if (segment.n == 0 || segment.p[0] != ':')
			continue;
		if (i->n_args == ROUTE_ARGS_MAX)
			router_refuse(r, "too many placeholders");
		i->args[i->n_args++] = (struct str){segment.p + 1, segment.n - 1};
	}
	i->scope = scope_bits(r->scope ? r->scope : "");
	if (r->limit != NULL && r->limit[0] != '\0' && (i->n_limits = limit_parse(r->limit, i->limits)) < 0)
		router_refuse(r, "malformed rate limit");
	if (r->usage != NULL && !usage_find(r->usage, &i->usage, &i->usage_op))
		router_refuse(r, "no service counts this usage");
	compile_params(i);
	return i;
}

/* ---- aliases ---- */

/* Takes the segments of `pattern` off the path. `rest_out` is what is left of it; `names_out` (may be NULL) gets the names of its placeholders. */
static bool
strip(struct str path, const char *pattern, struct str *rest_out, struct str *names_out, int *n_names_out)
{
	struct str want = str_c(pattern);
	int n = 0;

	while (want.p != NULL) {
		struct str w = str_cut(&want, '/'), have = path.p ? str_cut(&path, '/') : STR_NONE;
		bool any = str_is(w, ":");

		if (have.p == NULL || (any ? have.n == 0 || have.p[0] != ':' : !str_eq(w, have)))
			return false;
		if (any)
			names_out[n++] = have;
	}
	*rest_out = path;
	*n_names_out = n;
	return true;
}

/* The alias's path for a route, its placeholders by the route's names. */
static const char *
alias_path(const char *alias, const struct str *names, struct str rest)
{
	struct str from = str_c(alias);
	struct buf b;
	int n = 0;

	buf_init(&b, NULL, 128);
	str_cut(&from, '/');
	while (from.p != NULL) {
		struct str segment = str_cut(&from, '/');

		buf_ch(&b, '/');
		buf_str(&b, str_is(segment, ":") ? names[n++] : segment);
	}
	if (rest.p != NULL) {
		buf_ch(&b, '/');
		buf_str(&b, rest);
	}
	buf_ch(&b, '\0');
	return b.p;
}

static int
count_args(const char *pattern)
{
	int n = 0;

	for (; *pattern != '\0'; pattern++)
		n += pattern[0] == ':';
	return n;
}

/* The row once more, under the alias's path; NULL: it is none of this row. */
static struct route_info *
compile_alias(const struct route_info *of, const struct path_alias *a)
{
	struct str names[ROUTE_ARGS_MAX], rest;
	struct route_info *i;
	int n_names, missing;

	if (a->method != NULL && strcmp(a->method, of->route->method) != 0)
		return NULL;
	if (!strip(str_c(of->route->path), a->path, &rest, names, &n_names) || (rest.p != NULL && !a->below))
		return NULL;
	missing = n_names - count_args(a->alias);
	if (missing < 0 || (missing > 0 && a->bound == NULL))
		router_refuse(of->route, "an alias has too many placeholders, or too few and no value for them");
	i = mem_zalloc(sizeof *i);
	*i = *of;
	i->alias = a;
	i->path = alias_path(a->alias, names + missing, rest);
	i->n_args -= missing;
	memmove(i->args, i->args + missing, sizeof *i->args * (size_t)i->n_args);
	i->places = mem_zalloc(sizeof(int) * (size_t)(of->route->n_params + 1));
	for (int k = 0; k < of->route->n_params; k++)
		i->places[k] = of->places[k] < 0 ? of->places[k] : of->places[k] < missing ? PLACE_BOUND : of->places[k] - missing;
	return i;
}

/* Where the row of a request stands. */
static const struct route_info **
router_slot(struct router *t, const struct route *r, const char *path)
{
	struct str rest = str_c(path);
	struct node *n = &t->root;
	enum method m;
	int depth = 0;

	if (!method_parse(str_c(r->method), &m) || strcmp(r->method, "HEAD") == 0)
		router_refuse(r, "unknown method");
	str_cut(&rest, '/');
	while (rest.n > 0) {
		struct str segment = str_cut(&rest, '/');

		if (rest.n == 0 && (r->flags & ROUTE_BELOW))
			return &n->below[m];
		n = node_child(n, segment);
		if (++depth > DEPTH_MAX)
			router_refuse(r, "too many segments");
	}
	if (n->route[m] != NULL)
		router_refuse(r, "two rows for one request");
	return &n->route[m];
}

static void
router_place(struct router *t, struct route_info *i)
{
	*router_slot(t, i->route, i->path) = i;
	t->all = mem_realloc(t->all, sizeof *t->all * (size_t)(t->n + 1));
	t->all[t->n++] = i;
}

/* The row once more in the other family of its service. */
static void
router_add_twin(struct router *t, const struct route *r, const struct family *f)
{
	const struct route *twin = f != NULL ? family_route(f, r) : NULL;
	struct route_info *i;

	if (twin == NULL)
		return;
	i = router_compile(twin);
	i->words = &f->words;
	i->tag = f->name;
	router_place(t, i);
}

/* An alias of the very route stands before one of the whole branch, which then leaves the route alone. */
static void
router_add(struct router *t, const struct route *r, const struct path_alias *aliases)
{
	struct route_info *i = router_compile(r), *other;
	bool exact = false;

	router_place(t, i);
	for (const struct path_alias *a = aliases; a != NULL && a->alias != NULL; a++) {
		if ((exact && a->below) || (other = compile_alias(i, a)) == NULL)
			continue;
		exact = exact || (!a->below && a->documented);
		router_place(t, other);
	}
}

/* Found like a row, and answered like none. */
static const struct route_info absent;

static void
router_leave_out(struct router *t, const struct path_absent *a)
{
	const struct route r = {.method = a->method, .path = a->path};

	*router_slot(t, &r, a->path) = &absent;
}

struct router *
router_new(const struct service *const *services, int n)
{
	struct router *t = mem_zalloc(sizeof *t);

	for (int i = 0; i < n; i++)
		for (const struct routes *const *list = services[i]->routes; list != NULL && *list != NULL; list++)
			for (int k = 0; k < (*list)->n; k++) {
				router_add(t, &(*list)->v[k], services[i]->aliases);
				router_add_twin(t, &(*list)->v[k], services[i]->family);
			}
	for (int i = 0; i < n; i++)
		for (const struct path_absent *a = services[i]->absent; a != NULL && a->path != NULL; a++)
			router_leave_out(t, a);
	return t;
}

const struct route_info *const *
router_all(const struct router *r, int *n_out)
{
	*n_out = r->n;
	return r->all;
}

/* The row of that very path. */
static const struct route_info *walk(const struct node *n, enum method m, struct str rest, struct str *args);

static const struct route_info *
walk_on(const struct node *n, enum method m, struct str rest, struct str *args)
{
	struct str segment = str_cut(&rest, '/');
	const struct route_info *found;

	for (int i = 0; i < n->n_kids; i++)
		if (str_eq(n->kids[i]->segment, segment)) {
			if ((found = walk(n->kids[i], m, rest, args)) != NULL)
				return found;
			break;
		}
	if (n->any == NULL || segment.n == 0)
		return NULL;
	*args = segment;
	return walk(n->any, m, rest, args + 1);
}

static const struct route_info *
walk(const struct node *n, enum method m, struct str rest, struct str *args)
{
	const struct route_info *found = rest.n == 0 ? n->route[m] : walk_on(n, m, rest, args);

	if (found != NULL || n->below[m] == NULL)
		return found;
	*args = rest.n > 0 ? rest : STR("");
	return n->below[m];
}

const struct route_info *
router_find(const struct router *r, enum method m, struct str path, struct str args_out[ROUTE_ARGS_MAX])
{
	const struct route_info *found;

	if (path.n == 0 || path.p[0] != '/')
		return NULL;
	found = walk(&r->root, m, (struct str){path.p + 1, path.n - 1}, args_out);
	return found != &absent ? found : NULL;
}
