/* Records: what an executor is told and says. The structures are tables of their members, so that both ends have the same. */
#include "model/exec_wire.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"

enum { HEAD_MAX = 64, NONCE_MIN = 16, NONCE_MAX = 64 };

/* ---- records ---- */

/* printf would be a tenth of what a run costs who asks for it. */
static void
record_head(struct buf *b, const char *name, size_t n)
{
	buf_c(b, name);
	buf_ch(b, ' ');
	buf_i64(b, (int64_t)n);
	buf_ch(b, '\n');
}

void
exec_put(struct buf *b, const char *name, struct str value)
{
	record_head(b, name, value.n);
	buf_str(b, value);
}

static size_t
number_size(int64_t n)
{
	size_t size = n < 0 ? 2 : 1;

	while (n /= 10)
		size++;
	return size;
}

void
exec_put_number(struct buf *b, const char *name, int64_t n)
{
	record_head(b, name, number_size(n));
	buf_i64(b, n);
}

enum exec_record
exec_take(struct str *rest, struct str *name_out, struct str *value_out)
{
	const char *end = rest->n > 0 ? memchr(rest->p, '\n', rest->n < HEAD_MAX ? rest->n : HEAD_MAX) : NULL;
	struct str head;
	int64_t n;

	if (end == NULL)
		return rest->n < HEAD_MAX ? EXEC_CUT : EXEC_MALFORMED;
	head = (struct str){rest->p, (size_t)(end - rest->p)};
	*name_out = str_cut(&head, ' ');
	if (!str_to_i64(head, &n) || n < 0)
		return EXEC_MALFORMED;
	if ((uint64_t)n > rest->n - (size_t)(end + 1 - rest->p))
		return EXEC_CUT;
	*value_out = (struct str){end + 1, (size_t)n};
	rest->n -= (size_t)(end + 1 - rest->p) + (size_t)n;
	rest->p = end + 1 + n;
	return EXEC_RECORD;
}

/* ---- members ---- */

enum kind { KIND_TEXT, KIND_STR, KIND_INT, KIND_U64, KIND_I64, KIND_BOOL, KIND_DOUBLE };

struct member {
	const char *name;
	enum kind kind;
	size_t at;
};

static void
member_put(struct buf *b, const struct member *m, const void *of)
{
	const char *p = (const char *)of + m->at;
	char text[32];

	switch (m->kind) {
	case KIND_TEXT:
		exec_put(b, m->name, str_c(*(const char *const *)(const void *)p));
		break;
	case KIND_STR:
		exec_put(b, m->name, *(const struct str *)(const void *)p);
		break;
	case KIND_INT:
		exec_put_number(b, m->name, *(const int *)(const void *)p);
		break;
	case KIND_U64:
	case KIND_I64:
		exec_put_number(b, m->name, *(const int64_t *)(const void *)p);
		break;
	case KIND_BOOL:
		exec_put_number(b, m->name, *(const bool *)(const void *)p);
		break;
	case KIND_DOUBLE:
		exec_put(b, m->name, (struct str){text, (size_t)snprintf(text, sizeof text, "%.9g", *(const double *)(const void *)p)});
		break;
	}
}

static bool
member_take(struct arena *a, const struct member *m, void *of, struct str value)
{
	char *p = (char *)of + m->at;
	int64_t n = 0;

	if (m->kind != KIND_TEXT && m->kind != KIND_STR && m->kind != KIND_DOUBLE && !str_to_i64(value, &n))
		return false;
	switch (m->kind) {
	case KIND_TEXT:
		*(const char **)(void *)p = str_dup(a, value);
		break;
	case KIND_STR:
		*(struct str *)(void *)p = (struct str){arena_memdup(a, value.p, value.n), value.n};
		break;
	case KIND_INT:
		*(int *)(void *)p = (int)n;
		break;
	case KIND_U64:
	case KIND_I64:
		*(int64_t *)(void *)p = n;
		break;
	case KIND_BOOL:
		*(bool *)(void *)p = n != 0;
		break;
	case KIND_DOUBLE:
		*(double *)(void *)p = strtod(str_dup(a, value), NULL);
		break;
	}
	return true;
}

static void
members_put(struct buf *b, const struct member *v, const void *of)
{
	for (; v->name != NULL; v++)
		member_put(b, v, of);
}

/* False only for one that is known and malformed. */
static bool
members_take(struct arena *a, const struct member *v, void *of, struct str name, struct str value)
{
	for (; v->name != NULL; v++)
		if (str_is(name, v->name))
			return member_take(a, v, of, value);
	return true;
}

/* ---- what is asked ---- */

#define ASK(member) offsetof(struct exec_ask, member)
static const struct member ask_members[] = {
	{"project", KIND_TEXT, ASK(project)}, {"code", KIND_TEXT, ASK(code)},
	{"function", KIND_TEXT, ASK(run.f.function)}, {"deployment", KIND_TEXT, ASK(run.f.deployment)},
	{"runtime", KIND_TEXT, ASK(run.f.runtime)}, {"entrypoint", KIND_TEXT, ASK(run.f.entrypoint)}, {"generation", KIND_INT, ASK(run.f.generation)},
	{"revision", KIND_TEXT, ASK(run.f.revision)}, {"keep_warm", KIND_BOOL, ASK(run.f.keep_warm)},
	{"execution", KIND_TEXT, ASK(run.execution)}, {"method", KIND_STR, ASK(run.method)}, {"path", KIND_STR, ASK(run.path)}, {"body", KIND_STR, ASK(run.body)},
	{"data", KIND_STR, ASK(run.data)}, {"trigger", KIND_TEXT, ASK(run.trigger)}, {"event", KIND_TEXT, ASK(run.event)}, {"event_data", KIND_STR, ASK(run.event_data)},
	{"user", KIND_TEXT, ASK(run.user)}, {"jwt", KIND_TEXT, ASK(run.jwt)}, {"depth", KIND_INT, ASK(run.depth)}, {"limit_ms", KIND_U64, ASK(run.limit_ms)},
	{0}};
_Static_assert(sizeof(enum exec_generation) == sizeof(int) && sizeof(enum exec_why) == sizeof(int), "enums are taken for numbers");

/* A name and a value: a record in a record. */
static void
pair_put(struct buf *b, const char *what, struct str name, struct str value)
{
	const size_t heads = sizeof "n \n" - 1 + sizeof "v \n" - 1;

	record_head(b, what, heads + number_size((int64_t)name.n) + name.n + number_size((int64_t)value.n) + value.n);
	exec_put(b, "n", name);
	exec_put(b, "v", value);
}

static bool
pair_take(struct arena *a, struct str text, struct str *name_out, struct str *value_out)
{
	struct str what, name, value;

	if (exec_take(&text, &what, &name) != EXEC_RECORD || exec_take(&text, &what, &value) != EXEC_RECORD)
		return false;
	*name_out = (struct str){arena_memdup(a, name.p, name.n), name.n};
	*value_out = (struct str){arena_memdup(a, value.p, value.n), value.n};
	return true;
}

/* How many records of a name there are. */
static int
records_count(struct str text, const char *which)
{
	struct str name, value;
	int n = 0;

	while (exec_take(&text, &name, &value) == EXEC_RECORD && !str_is(name, EXEC_END))
		n += str_is(name, which);
	return n;
}

void
exec_ask_put(struct buf *b, const struct exec_ask *q)
{
	members_put(b, ask_members, q);
	for (int i = 0; i < q->run.f.n_variables; i++)
		pair_put(b, "variable", q->run.f.variables[i].name, q->run.f.variables[i].value);
	for (int i = 0; i < q->run.n_headers; i++)
		pair_put(b, "header", q->run.headers[i].name, q->run.headers[i].value);
	exec_put(b, EXEC_END, STR_NONE);
}

/* Members that are absent are empty, so that nobody meets a NULL. */
static void
members_clear(const struct member *v, void *of)
{
	for (; v->name != NULL; v++)
		if (v->kind == KIND_TEXT)
			*(const char **)(void *)((char *)of + v->at) = "";
		else if (v->kind == KIND_STR)
			*(struct str *)(void *)((char *)of + v->at) = STR("");
}

bool
exec_ask_take(struct arena *a, struct str *text, struct exec_ask *out)
{
	struct exec_variable *variables = arena_array(a, struct exec_variable, records_count(*text, "variable") + 1);
	struct exec_header *headers = arena_array(a, struct exec_header, records_count(*text, "header") + 1);
	struct str name, value;
	bool ok = true;

	*out = (struct exec_ask){.run = {.f = {.variables = variables}, .headers = headers}};
	members_clear(ask_members, out);
	while (ok && exec_take(text, &name, &value) == EXEC_RECORD) {
		if (str_is(name, EXEC_END))
			return true;
		if (str_is(name, "variable")) {
			struct exec_variable *v = &variables[out->run.f.n_variables++];

			ok = pair_take(a, value, &v->name, &v->value);
		} else if (str_is(name, "header")) {
			struct exec_header *h = &headers[out->run.n_headers++];

			ok = pair_take(a, value, &h->name, &h->value);
		} else {
			ok = members_take(a, ask_members, out, name, value);
		}
	}
	return false;
}

/* ---- what is answered ---- */

#define RAN(member) offsetof(struct exec_ran, member)
static const struct member ran_members[] = {
	{"why", KIND_INT, RAN(why)}, {"reason", KIND_TEXT, RAN(reason)}, {"status", KIND_INT, RAN(status)}, {"body", KIND_STR, RAN(body)}, {"logs", KIND_STR, RAN(logs)},
	{"errors", KIND_STR, RAN(errors)}, {"seconds", KIND_DOUBLE, RAN(seconds)}, {"cold", KIND_BOOL, RAN(cold)},
	{0}};

void
exec_ran_put(struct buf *b, const struct exec_ran *r)
{
	members_put(b, ran_members, r);
	for (int i = 0; i < r->n_headers; i++)
		pair_put(b, "header", r->headers[i].name, r->headers[i].value);
	exec_put(b, EXEC_END, STR_NONE);
}

bool
exec_ran_take(struct arena *a, struct str text, struct exec_ran *out)
{
	struct exec_header *headers = arena_array(a, struct exec_header, records_count(text, "header") + 1);
	struct str name, value;
	bool ok = true;

	*out = (struct exec_ran){.headers = headers};
	members_clear(ran_members, out);
	while (ok && exec_take(&text, &name, &value) == EXEC_RECORD) {
		if (str_is(name, EXEC_END))
			return true;
		if (str_is(name, "header")) {
			struct exec_header *h = &headers[out->n_headers++];

			ok = pair_take(a, value, &h->name, &h->value);
		} else {
			ok = members_take(a, ran_members, out, name, value);
		}
	}
	return false;
}

/* ---- who is there ---- */

#define ANN(member) offsetof(struct exec_announcement, member)
static const struct member announcement_members[] = {
	{"name", KIND_TEXT, ANN(name)}, {"local", KIND_TEXT, ANN(local)}, {"address", KIND_TEXT, ANN(address)}, {"tls", KIND_BOOL, ANN(tls)}, {"why", KIND_TEXT, ANN(why)}, {"busy", KIND_I64, ANN(busy)},
	{"room", KIND_I64, ANN(room)}, {"browsers", KIND_I64, ANN(browsers)}, {"warm", KIND_STR, ANN(warm)}, {"kept", KIND_STR, ANN(kept)},
	{0}};
#define RUN(member) offsetof(struct exec_runtime, member)
static const struct member runtime_members[] = {
	{"id", KIND_TEXT, RUN(id)}, {"key", KIND_TEXT, RUN(key)}, {"name", KIND_TEXT, RUN(name)}, {"version", KIND_TEXT, RUN(version)}, {"base", KIND_TEXT, RUN(base)},
	{"image", KIND_TEXT, RUN(image)}, {"logo", KIND_TEXT, RUN(logo)}, {"entrypoint", KIND_TEXT, RUN(entrypoint)},
	{0}};

void
exec_announcement_put(struct buf *b, const struct exec_announcement *n)
{
	struct buf one;

	members_put(b, announcement_members, n);
	for (int i = 0; i < n->n_runtimes; i++) {
		buf_init(&one, NULL, 256);
		members_put(&one, runtime_members, &n->runtimes[i]);
		exec_put(b, "runtime", buf_view(&one));
		buf_fini(&one);
	}
	exec_put(b, EXEC_END, STR_NONE);
}

static bool
runtime_take(struct arena *a, struct str text, struct exec_runtime *out)
{
	struct str name, value;
	bool ok = true;

	members_clear(runtime_members, out);
	while (ok && exec_take(&text, &name, &value) == EXEC_RECORD)
		ok = members_take(a, runtime_members, out, name, value);
	return ok;
}

bool
exec_announcement_take(struct arena *a, struct str text, struct exec_announcement *out)
{
	struct str name, value;
	bool ok = true;

	*out = (struct exec_announcement){.runtimes = arena_array(a, struct exec_runtime, records_count(text, "runtime") + 1)};
	members_clear(announcement_members, out);
	while (ok && exec_take(&text, &name, &value) == EXEC_RECORD) {
		if (str_is(name, EXEC_END))
			return true;
		ok = str_is(name, "runtime") ? runtime_take(a, value, &out->runtimes[out->n_runtimes++]) : members_take(a, announcement_members, out, name, value);
	}
	return false;
}

const char *
exec_key(struct arena *a, struct str master)
{
	unsigned char mac[32];

	hmac_sha256(master, STR("executors"), mac);
	return hex_encode(a, mac, sizeof mac);
}

const char *
exec_prove(struct arena *a, const char *key, const struct exec_proof *p)
{
	unsigned char mac[32];

	hmac_sha256(str_c(key), str_c(arena_printf(a, "%.*s\n%lld\n%lld\n%.*s", STR_FMT(p->what), (long long)p->length, (long long)p->time, STR_FMT(p->nonce))), mac);
	return arena_printf(a, "Badal %lld.%.*s.%s", (long long)p->time, STR_FMT(p->nonce), hex_encode(a, mac, sizeof mac));
}

bool
exec_proved(struct arena *a, const char *key, struct str field, struct exec_proof *p)
{
	struct str rest = field, scheme = str_cut(&rest, ' '), time = str_cut(&rest, '.');

	p->nonce = str_cut(&rest, '.');
	return str_is(scheme, "Badal") && p->nonce.n >= NONCE_MIN && p->nonce.n <= NONCE_MAX && str_to_i64(time, &p->time) && str_eq_secret(field, str_c(exec_prove(a, key, p)));
}

void
exec_seal_begin(struct hmac *h, const char *key, struct str field)
{
	hmac_begin(h, str_c(key));
	hmac_add(h, field);
	hmac_add(h, STR("\n"));
}

void
exec_seal_end(struct hmac *h, char out[EXEC_SEAL])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char mac[EXEC_SEAL / 2];

	hmac_end(h, mac);
	for (size_t i = 0; i < sizeof mac; i++) {
		out[2 * i] = hex[mac[i] >> 4];
		out[2 * i + 1] = hex[mac[i] & 15];
	}
}
