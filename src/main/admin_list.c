/* Verbs that list: one line each, members parted by tabs, the id first. What strangers have written cannot move a terminal's cursor or make columns. */
#include <stdio.h>
#include <string.h>

#include "core/vtime.h"
#include "io/db.h"
#include "main_priv.h"
#include "model/project.h"

enum { LIST_MAX_LINES = 10000 };

static void
put_cell(const char *s, bool last)
{
	for (; s != NULL && *s != '\0'; s++)
		putchar((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s);
	putchar(last ? '\n' : '\t');
}

/* Three columns of text. */
static void
put_rows(struct db_res *r)
{
	for (int i = 0; i < db_rows(r) && i < LIST_MAX_LINES; i++)
		for (int c = 0; c < 3; c++)
			put_cell(db_cstr(r, i, c), c == 2);
	if (db_rows(r) > LIST_MAX_LINES)
		fprintf(stderr, "badal: these are the first %d\n", LIST_MAX_LINES);
}

static err_t
users_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	struct project *p;
	struct db_res *r;

	TRY(admin_space(cx, args_get(a, "project"), &p));
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT id, coalesce(email, ''), coalesce(name, '') FROM %s.users ORDER BY internal LIMIT $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, LIST_MAX_LINES + 1))));
	put_rows(r);
	return OK;
}

int
user_list_run(struct args *a)
{
	return admin_work(a, users_work);
}

static err_t
projects_work(struct ctx *cx, void *arg)
{
	struct db_res *r;

	(void)arg;
	TRY(db_query(cx, &r, "SELECT id, name, team_id FROM badal.projects WHERE id <> 'console' ORDER BY seq LIMIT $1::bigint",
	    DB(pg_i64(cx->arena, LIST_MAX_LINES + 1))));
	put_rows(r);
	return OK;
}

int
project_list_run(struct args *a)
{
	return admin_work(a, projects_work);
}

static err_t
platforms_work(struct ctx *cx, void *arg)
{
	struct project *p;

	TRY(admin_project(cx, args_get(arg, "project"), &p));
	for (int i = 0; i < p->platforms.n; i++) {
		const struct platform *f = p->platforms.v[i];

		put_cell(f->id, false);
		put_cell(f->type, false);
		put_cell(f->name, false);
		put_cell(*f->hostname ? f->hostname : f->key, true);
	}
	return OK;
}

int
platform_list_run(struct args *a)
{
	return admin_work(a, platforms_work);
}

/* Without the secrets: key create and init print them. */
static err_t
keys_work(struct ctx *cx, void *arg)
{
	struct project *p;

	TRY(admin_project(cx, args_get(arg, "project"), &p));
	for (int i = 0; i < p->keys.n; i++) {
		const struct api_key *k = p->keys.v[i];
		char date[30] = "";

		put_cell(k->id, false);
		put_cell(k->name, false);
		put_cell(k->expire == TIME_NONE ? "never ends" : time_iso(k->expire, date), false);
		for (int s = 0; s < k->scopes.n; s++)
			printf("%s%s", s > 0 ? "," : "", k->scopes.v[s]);
		putchar('\n');
	}
	return OK;
}

int
key_list_run(struct args *a)
{
	return admin_work(a, keys_work);
}
