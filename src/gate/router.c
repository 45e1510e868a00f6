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
	struct route_info *route[METHOD_N];
};

struct router {
	struct node root;
};

static const char *const method_names[METHOD_N] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

static _Noreturn void
refuse(const struct route *r, const char *why)
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
place_of(const struct route_info *i, const char *name)
{
	for (int k = 0; k < i->n_args; k++)
		if (str_is(i->args[k], name))
			return k;
	return -1;
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

		i->places[k] = p->path != NULL ? place_of(i, p->name) : -1;
		if (p->path != NULL && i->places[k] < 0 && (r->alias_database == NULL || strcmp(p->name, "databaseId") != 0))
			refuse(r, "a path parameter has no placeholder");
		if ((p->type == P_ENUM || p->type == P_ENUM_NOCASE || p->type == P_ENUMS || p->type == P_PERMISSIONS) && p->list == NULL)
			refuse(r, "a parameter needs a list");
		if (p->def != NULL && (i->defaults[k] = json_loads(p->def, JSON_DECODE_ANY, NULL)) == NULL)
			refuse(r, "a default is not JSON");
	}
}

static struct route_info *
compile(const struct route *r)
{
	struct route_info *i = mem_zalloc(sizeof *i);
	struct str rest = str_c(r->path);

	i->route = r;
	if (r->handler == NULL || r->path[0] != '/')
		refuse(r, "no handler, or not a path");
	str_cut(&rest, '/');
	while (rest.p != NULL) {
		struct str segment = str_cut(&rest, '/');

		if (segment.n == 0 || segment.p[0] != ':')
			continue;
		if (i->n_args == ROUTE_ARGS_MAX)
			refuse(r, "too many placeholders");
		i->args[i->n_args++] = (struct str){segment.p + 1, segment.n - 1};
	}
	i->scope = r->scope ? scope_bit(r->scope) : 0;
	if (r->limit != NULL && r->limit[0] != '\0' && (i->n_limits = limit_parse(r->limit, i->limits)) < 0)
		refuse(r, "malformed rate limit");
	if (r->usage != NULL && !usage_find(r->usage, &i->usage, &i->usage_op))
		refuse(r, "no service counts this usage");
	compile_params(i);
	return i;
}

static void
place(struct router *t, struct route_info *i, const char *path)
{
	struct str rest = str_c(path);
	struct node *n = &t->root;
	enum method m;
	int depth = 0;

	if (!method_parse(str_c(i->route->method), &m) || strcmp(i->route->method, "HEAD") == 0)
		refuse(i->route, "unknown method");
	str_cut(&rest, '/');
	while (rest.n > 0) {
		n = node_child(n, str_cut(&rest, '/'));
		if (++depth > DEPTH_MAX)
			refuse(i->route, "too many segments");
	}
	if (n->route[m] != NULL)
		refuse(i->route, "two rows for one request");
	n->route[m] = i;
}

/* Other paths of the same row: those that later clients use. */
static void
router_add(struct router *t, const struct route *r)
{
	static const struct {
		const char *method, *later, *path;
	} aliases[] = {
#define PATH_ALIAS(...) {__VA_ARGS__},
#include "tbl/paths.h"
	};
	struct route_info *i = compile(r);

	place(t, i, r->path);
	for (size_t k = 0; k < sizeof aliases / sizeof *aliases; k++)
		if (strcmp(aliases[k].path, r->path) == 0 && strcmp(aliases[k].method, r->method) == 0)
			place(t, i, aliases[k].later);
}

struct router *
router_new(const struct routes *const *tables, int n)
{
	struct router *t = mem_zalloc(sizeof *t);

	for (int i = 0; i < n; i++)
		for (int k = 0; k < tables[i]->n; k++)
			router_add(t, &tables[i]->v[k]);
	return t;
}

const struct routes *const *
routes_all(int *n_out)
{
	static const struct routes **all;
	static int n_all;
	const struct service *const *services;
	int n;

	if (all == NULL) {
		services = service_all(&n);
		for (int i = 0; i < n; i++)
			for (const struct routes *const *list = services[i]->routes; list != NULL && *list != NULL; list++) {
				all = mem_realloc(all, sizeof *all * (size_t)(n_all + 1));
				all[n_all++] = *list;
			}
	}
	*n_out = n_all;
	return all;
}

static const struct route_info *
walk(const struct node *n, enum method m, struct str rest, struct str *args)
{
	const struct route_info *found;
	struct str segment;

	if (rest.n == 0)
		return n->route[m];
	segment = str_cut(&rest, '/');
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

const struct route_info *
router_find(const struct router *r, enum method m, struct str path, struct str args_out[ROUTE_ARGS_MAX])
{
	if (path.n == 0 || path.p[0] != '/')
		return NULL;
	return walk(&r->root, m, (struct str){path.p + 1, path.n - 1}, args_out);
}
