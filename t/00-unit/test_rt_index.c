/* Atoms and the fan-out index of realtime: against a plain model, at random. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../src/rt/rt_priv.h"
#include "core/metric.h"

enum { CONNS = 200, KEYS = 40 };

static struct {
	bool in;
	uint32_t pos;
} model[CONNS][KEYS];

void
index_moved(struct seat s, uint32_t pos)
{
	cr_assert(model[s.conn][s.entry].in);
	model[s.conn][s.entry].pos = pos;
}

static void
setup(void)
{
	metric_init(1);
	metric_slot(0);
}

TestSuite(rt_index, .init = setup);

Test(rt_index, atoms_are_shared_and_counted)
{
	atom_t p = atom_get(0, STR("p")), q = atom_get(0, STR("q")), a = atom_get(p, STR("documents"));

	cr_expect_eq(atom_get(p, STR("documents")), a);
	cr_expect_eq(atom_find(q, STR("documents")), 0, "another project is another space");
	cr_expect(str_is(atom_text(a), "documents"));
	atom_unref(a);
	cr_expect_eq(atom_find(p, STR("documents")), a);
	atom_unref(a);
	cr_expect_eq(atom_find(p, STR("documents")), 0);
	cr_expect_eq(atom_count(), 2);
	atom_unref(0);
}

Test(rt_index, many_atoms_come_and_go)
{
	static atom_t got[5000];
	char text[32];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 5000; i++) {
			snprintf(text, sizeof text, "user:%d", i);
			got[i] = atom_get(7, str_c(text));
		}
		for (int i = 0; i < 5000; i++) {
			snprintf(text, sizeof text, "user:%d", i);
			cr_assert_eq(atom_find(7, str_c(text)), got[i]);
			if (i % 3 == round)
				atom_unref(got[i]);
		}
		for (int i = 0; i < 5000; i++) {
			snprintf(text, sizeof text, "user:%d", i);
			cr_assert_eq(atom_find(7, str_c(text)), i % 3 == round ? 0 : got[i]);
			if (i % 3 != round)
				atom_unref(got[i]);
		}
		cr_assert_eq(atom_count(), 0);
	}
}

static void
check_key(uint32_t key)
{
	uint32_t n, have = 0;
	const struct seat *v = index_list(key % 8 + 1, key / 8 + 1, &n);

	for (uint32_t i = 0; i < n; i++) {
		cr_assert_eq(v[i].entry, key);
		cr_assert(model[v[i].conn][key].in);
		cr_assert_eq(model[v[i].conn][key].pos, i);
	}
	for (uint32_t c = 0; c < CONNS; c++)
		have += model[c][key].in;
	cr_assert_eq(n, have);
}

Test(rt_index, holds_what_entered_and_did_not_leave)
{
	srand(1);
	for (int step = 0; step < 60000; step++) {
		uint32_t c = (uint32_t)rand() % CONNS, key = (uint32_t)rand() % KEYS;
		atom_t chan = key % 8 + 1, role = key / 8 + 1;

		if (model[c][key].in) {
			model[c][key].in = false;
			index_del(chan, role, model[c][key].pos);
		} else {
			model[c][key].in = true;
			model[c][key].pos = index_add(chan, role, (struct seat){c, key});
		}
		if (step % 500 == 0)
			for (uint32_t k = 0; k < KEYS; k++)
				check_key(k);
	}
	for (uint32_t c = 0; c < CONNS; c++)
		for (uint32_t key = 0; key < KEYS; key++)
			if (model[c][key].in) {
				model[c][key].in = false;
				index_del(key % 8 + 1, key / 8 + 1, model[c][key].pos);
			}
	for (uint32_t k = 0; k < KEYS; k++)
		check_key(k);
	cr_assert_eq(metric_value(M_rt_subscriptions), 0);
}

/* ---- tables that grow and shrink ---- */

enum { MANY = 200000, MOVED_MAX = 2000 };

/* Of the table before at most a step is moved at a time; *seen_out: the most that was ever left. */
static void
left_at_most(uint32_t *left, uint32_t now, uint32_t *seen_out)
{
	cr_assert(now >= *left || *left - now <= MOVED_MAX, "%u at once", *left - now);
	*left = now;
	if (now > *seen_out)
		*seen_out = now;
}

Test(rt_index, a_table_of_names_is_left_step_by_step)
{
	static atom_t got[MANY];
	uint32_t left = 0, most = 0, shrunk = 0;
	char text[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "c%d", i);
		got[i] = atom_get(7, str_c(text));
		left_at_most(&left, atom_left(), &most);
		snprintf(text, sizeof text, "c%d", (int)((uint32_t)i * 7919u % (uint32_t)(i + 1)));
		cr_assert_neq(atom_find(7, str_c(text)), 0);
	}
	cr_expect_gt(most, 90000, "a large table was left: %u", most);
	for (int i = 0; i < MANY; i++) {
		atom_unref(got[i]);
		left_at_most(&left, atom_left(), &shrunk);
		snprintf(text, sizeof text, "c%d", i);
		cr_assert_eq(atom_find(7, str_c(text)), 0);
		if (i + 1 < MANY) {
			snprintf(text, sizeof text, "c%d", i + 1 + (int)((uint32_t)i * 7919u % (uint32_t)(MANY - i - 1)));
			cr_assert_neq(atom_find(7, str_c(text)), 0);
		}
	}
	cr_expect_gt(shrunk, 10000, "and a small one, too: %u", shrunk);
	cr_expect_eq(atom_count(), 0);
}

Test(rt_index, the_index_is_left_step_by_step)
{
	uint32_t left = 0, most = 0, shrunk = 0, n;

	memset(model, 1, sizeof model);
	for (uint32_t i = 1; i <= MANY; i++) {
		cr_assert_eq(index_add(i, 5, (struct seat){0, 0}), 0);
		left_at_most(&left, index_left(), &most);
		(void)index_list(1 + i * 7919u % i, 5, &n);
		cr_assert_eq(n, 1);
	}
	cr_expect_gt(most, 90000, "%u", most);
	for (uint32_t i = 1; i <= MANY; i++) {
		index_del(i, 5, 0);
		left_at_most(&left, index_left(), &shrunk);
		(void)index_list(i, 5, &n);
		cr_assert_eq(n, 0);
		(void)index_list(MANY, 5, &n);
		cr_assert_eq(n, i < MANY ? 1 : 0);
	}
	cr_expect_gt(shrunk, 10000, "%u", shrunk);
}
