/* The budget of bytes: what is charged comes back, by process and by address. */
#include <criterion/criterion.h>

#include "core/conf.h"
#include "core/metric.h"
#include "io/budget.h"

static void
setup(void)
{
	char *args[] = {(char[]){"bytes_max=100000"}, (char[]){"bytes_per_address=60000"}};

	cr_assert(conf_load(NULL, 2, args, false));
	metric_init(1);
	metric_slot(0);
}

static void
all_back(void)
{
	cr_expect_eq(budget_held(), 0);
	cr_expect_eq(budget_owners(), 0);
	cr_expect_eq(metric_value(M_bytes_held), 0);
}

TestSuite(budget, .init = setup);

Test(budget, and_never_more_than_its_part_of_the_machine)
{
	struct budget a = {0};

	budget_share(50000);
	cr_expect_eq(budget_charge(&a, 50001), ERR_BYTES_SPENT);
	cr_expect_eq(budget_charge(&a, 50000), OK);
	cr_expect_eq(metric_value(M_bytes_refused), 1);
	budget_share(SIZE_MAX);
	cr_expect_eq(budget_charge(&a, 50000), OK);
	budget_close(&a);
	all_back();
}

Test(budget, the_process_has_a_bound)
{
	struct budget a = {0}, b = {0};

	cr_expect_eq(budget_charge(&a, 70000), OK);
	cr_expect_eq(budget_charge(&b, 30001), ERR_BYTES_SPENT);
	cr_expect_eq(b.held, 0);
	cr_expect_eq(budget_charge(&b, 30000), OK);
	budget_force(&b, 5000);	/* what is there is there */
	cr_expect_eq(budget_held(), 105000);
	cr_expect_eq(metric_value(M_bytes_refused), 1);
	budget_release(&a, 10000);
	cr_expect_eq(a.held, 60000);
	budget_close(&a);
	budget_close(&b);
	budget_close(&b);
	all_back();
}

Test(budget, an_address_has_a_bound_of_its_own)
{
	struct budget a = {.address = "10.0.0.1"}, b = {.address = "::ffff:10.0.0.1"}, c = {.address = "10.0.0.2"};

	cr_expect_eq(budget_charge(&a, 40000), OK);
	cr_expect_eq(budget_charge(&b, 20001), ERR_BYTES_ADDRESS);
	cr_expect_eq(budget_charge(&b, 20000), OK);
	cr_expect_eq(budget_charge(&c, 30000), OK);
	cr_expect_eq(budget_owners(), 2);
	cr_expect_eq(metric_value(M_bytes_refused_address), 1);
	budget_known(&a);	/* it is somebody: the address has room again */
	cr_expect_eq(budget_charge(&b, 10000), OK);
	cr_expect_eq(budget_held(), 100000);
	budget_close(&a);
	budget_close(&b);
	budget_close(&c);
	all_back();
}

Test(budget, addresses_of_version_6_are_a_64)
{
	struct budget a = {.address = "2001:db8:1:2::1"}, b = {.address = "2001:db8:1:2:ffff::9"}, c = {.address = "2001:db8:1:3::1"};

	cr_expect_eq(budget_charge(&a, 60000), OK);
	cr_expect_eq(budget_charge(&b, 1), ERR_BYTES_ADDRESS);
	cr_expect_eq(budget_charge(&c, 1), OK);
	budget_close(&a);
	budget_close(&c);
	all_back();
}

Test(budget, what_is_no_address_is_one)
{
	struct budget a = {.address = "nonsense"}, b = {.address = ""};

	cr_expect_eq(budget_charge(&a, 60000), OK);
	cr_expect_eq(budget_charge(&b, 1), ERR_BYTES_ADDRESS);
	budget_close(&a);
	all_back();
}

Test(budget, a_context_gives_back_what_it_held)
{
	struct ctx cx;

	ctx_init(&cx);
	cr_expect_eq(budget_hold(&cx, 90000), OK);
	cr_expect_eq(budget_hold(&cx, 20000), ERR_BYTES_SPENT);
	cr_expect_eq(budget_held(), 90000);
	ctx_fini(&cx);
	all_back();
}
