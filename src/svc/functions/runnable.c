/* Functions as they are run: with the active deployment, its build and the variables, cached per process. What an entry holds is valid as long as the
 * function's generation (function_stale_key) is current. */
#include "functions_priv.h"

#include <assert.h>
#include <ctype.h>

#include "core/conf.h"
#include "core/gen.h"
#include "core/map.h"
#include "core/metric.h"

enum { RUNNABLE_MAGIC = 0x72756e61, SYSTEM_VARIABLES = 6 };

struct kept_function {
	unsigned magic;
	unsigned refs;		/* the cache's and those of contexts */
	uint32_t gen, shared_gen;	/* of the function, and of its project's variables */
	int64_t project;	/* its number: another may have the id by now */
	struct arena *arena;	/* holds it, too */
	struct function f;
	struct deployment d;
	bool has_deployment;
	struct blob_part part;
	struct exec_function exec;	/* without the project */
};

static struct lru *functions;

static void
kept_function_unref(void *arg)
{
	struct kept_function *k = arg;
	struct arena *a = k->arena;

	assert(k->magic == RUNNABLE_MAGIC && k->refs > 0);
	if (--k->refs == 0)
		arena_free(&a);
}

/* ---- the environment ---- */

/* "node-18.0": what the contract calls the language, and the version. */
static const char *
runtime_name(struct arena *a, const char *id)
{
	static const struct { const char *key, *name; } names[] = {{"node", "Node.js"}, {"php", "PHP"}, {"ruby", "Ruby"}, {"python", "Python"}, {"deno", "Deno"},
		{"dart", "Dart"}, {"dotnet", ".NET"}, {"java", "Java"}, {"swift", "Swift"}, {"kotlin", "Kotlin"}, {"cpp", "C++"}, {"bun", "Bun"}, {"go", "Go"}};
	const char *dash = strrchr(id, '-');
	size_t n = dash ? (size_t)(dash - id) : strlen(id);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i].key) == n && strncmp(id, names[i].key, n) == 0)
			return names[i].name;
	return arena_printf(a, "%.*s", (int)n, id);
}

static const char *
runtime_version(const char *id)
{
	const char *dash = strrchr(id, '-');

	return dash ? dash + 1 : "";
}

/* The function has one of that name. */
static bool
has_own(const struct function *f, const char *key)
{
	for (int i = 0; i < f->vars.n; i++)
		if (strcmp(((const struct variable *)f->vars.v[i])->key, key) == 0)
			return true;
	return false;
}

/* Its project's, the function's own, which override them, then ours, which override all. */
static void
make_environment(struct arena *a, const struct project *p, const struct function *f, const struct deployment *d, struct exec_function *out)
{
	struct exec_variable *v = arena_array(a, struct exec_variable, f->shared.n + f->vars.n + SYSTEM_VARIABLES);
	const struct { const char *name, *value; } system[SYSTEM_VARIABLES] = {{"APPWRITE_FUNCTION_ID", f->id}, {"APPWRITE_FUNCTION_NAME", f->name},
		{"APPWRITE_FUNCTION_DEPLOYMENT", d->id}, {"APPWRITE_FUNCTION_PROJECT_ID", p->id},
		{"APPWRITE_FUNCTION_RUNTIME_NAME", runtime_name(a, f->runtime)}, {"APPWRITE_FUNCTION_RUNTIME_VERSION", runtime_version(f->runtime)}};
	int n = 0;

	for (int i = 0; i < f->shared.n + f->vars.n; i++) {
		const struct shared_variable *of_all = i < f->shared.n ? f->shared.v[i] : NULL;
		const struct variable *own = of_all == NULL ? f->vars.v[i - f->shared.n] : NULL;
		const char *key = of_all != NULL ? of_all->key : own->key;
		bool ours = of_all != NULL && has_own(f, key);

		for (int k = 0; k < SYSTEM_VARIABLES; k++)
			ours = ours || strcmp(key, system[k].name) == 0;
		if (!ours)
			v[n++] = (struct exec_variable){str_c(arena_strdup(a, key)), str_c(arena_strdup(a, of_all != NULL ? of_all->value : own->value))};
	}
	for (int k = 0; k < SYSTEM_VARIABLES; k++)
		v[n++] = (struct exec_variable){str_c(system[k].name), str_c(arena_strdup(a, system[k].value))};
	out->variables = v;
	out->n_variables = n;
}

static enum exec_generation
generation_of(const struct function *f)
{
	return strcmp(f->generation, "v2") == 0 ? EXEC_REQ_RES : f->generation[0] != '\0' ? EXEC_CONTEXT : EXEC_BY_ARITY;
}

void
function_exec(struct arena *a, const struct project *p, const struct function *f, const struct deployment *d, struct exec_function *out)
{
	*out = (struct exec_function){.project = p, .function = f->id, .deployment = d->id, .runtime = f->runtime, .entrypoint = d->entrypoint,
		.generation = generation_of(f), .keep_warm = f->keep_warm,
		.revision = arena_printf(a, "%lld.%lld", (long long)f->revision, (long long)d->internal)};
	make_environment(a, p, f, d, out);
}

/* ---- the cache ---- */

/* What was built is one part. A build that is made again is another content. */
static void
point_at_build(struct kept_function *k)
{
	k->part = (struct blob_part){k->d.result, k->d.bind};
	k->part.blob.coding = (enum blob_coding)k->d.coding;
	k->exec.code = (struct exec_code){.at = {NULL, build_waste.kind, k->f.internal}, .parts = &k->part, .n_parts = 1, .size = (uint64_t)k->d.result.size,
		.id = arena_printf(k->arena, "%s-%lld", k->d.build, (long long)k->d.build_try)};
}

static struct kept_function *
kept_function_new(const struct project *p, const struct function *f, const struct deployment *d, uint32_t gen, uint32_t shared_gen)
{
	struct arena *a = arena_new();
	struct kept_function *k = arena_new_of(a, struct kept_function);

	*k = (struct kept_function){.magic = RUNNABLE_MAGIC, .refs = 1, .gen = gen, .shared_gen = shared_gen, .project = p->internal, .arena = a, .has_deployment = d != NULL};
	shape_copy(a, &function_shape, f, &k->f);
	if (d == NULL)
		return k;
	shape_copy(a, &deployment_shape, d, &k->d);
	k->f.shared = f->shared;
	function_exec(a, p, &k->f, &k->d, &k->exec);
	k->f.shared = (struct objs){0};	/* whoever read them has them */
	point_at_build(k);
	return k;
}

static err_t
read_function(struct ctx *cx, const struct project *p, const char *id, uint32_t gen, uint32_t shared_gen, struct kept_function **out)
{
	struct function f, *one = &f;
	struct deployment d;
	bool has;
	err_t e = ERR_DEPLOYMENT_NOT_FOUND;

	TRY(function_get(cx, p, id, &f));
	TRY(function_vars(cx, p, &one, 1));
	TRY(shared_read(cx, p, &f.shared));
	if (f.deployment[0] != '\0')
		e = record_get(cx, p, &deployment_record, deployment_rows(cx, &f, f.deployment), &d);
	has = e == OK;
	if (!has && e != ERR_DEPLOYMENT_NOT_FOUND)
		return e;
	*out = kept_function_new(p, &f, has ? &d : NULL, gen, shared_gen);
	return OK;
}

err_t
function_load(struct ctx *cx, const struct project *p, const char *id, struct runnable *out)
{
	struct str key = str_c(function_stale_key(cx, p, id));
	uint32_t gen = gen_of(key), shared_gen = gen_of(str_c(shared_stale_key(cx, p)));
	struct kept_function *k;

	if (functions == NULL)
		functions = lru_new((size_t)conf.cache_entries, kept_function_unref);
	k = lru_get(functions, key);
	if (k == NULL || k->gen != gen || k->shared_gen != shared_gen || k->project != p->internal) {
		metric_add(M_cache_misses, 1);
		TRY(read_function(cx, p, id, gen, shared_gen, &k));
		lru_put(functions, key, k);
	} else {
		metric_add(M_cache_hits, 1);
	}
	k->refs++;
	defer(cx, kept_function_unref, k);
	*out = (struct runnable){.f = &k->f, .d = k->has_deployment ? &k->d : NULL, .exec = k->exec};
	out->exec.project = p;
	out->exec.code.at.p = p;
	return OK;
}

err_t
runnable_check(struct ctx *cx, const struct runnable *r)
{
	if (r->d == NULL)
		return fail_msg(cx, ERR_DEPLOYMENT_NOT_FOUND, "Deployment not found. Create a deployment before trying to execute a function");
	if (strcmp(r->d->status, deployment_states[DEPLOYMENT_READY]) != 0)
		return fail(cx, ERR_BUILD_NOT_READY, "deployment=%s status=%s", r->d->id, r->d->status);
	return OK;
}
