/* Metrics in shared memory: a slot per process, summed when written. */
#include "core/metric.h"

#include <stdatomic.h>
#include <sys/mman.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct row {
	enum kind kind;
	const char *text, *doc;
};
static const struct row rows[METRIC_N] = {
#define METRIC(name, kind, text, doc) [M_##name] = {kind, text, doc},
#include "tbl/metrics.h"
#undef METRIC
};

/* Upper bounds in microseconds; the last bucket takes the rest. */
static const uint32_t bounds[] = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 5000000};
enum { N_BOUNDS = sizeof bounds / sizeof bounds[0] };

struct cell {
	_Atomic int64_t value;			/* counters and gauges; histograms: the sum in us */
};
struct slot {
	struct cell cells[METRIC_N];
	_Atomic uint64_t buckets[METRIC_N][N_BOUNDS + 1];
};

static struct slot own;			/* before metric_init (tests, shell verbs) */
static struct slot *slots = &own;
static unsigned n_slots = 1, mine;

void
metric_init(unsigned n)
{
	void *p = mmap(NULL, n * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		mem_fatal(n * sizeof *slots);
	slots = p;
	n_slots = n;
}

void
metric_slot(unsigned slot)
{
	mine = slot < n_slots ? slot : 0;
	for (int m = 0; m < METRIC_N; m++)
		if (rows[m].kind == GAUGE)
			atomic_store_explicit(&slots[mine].cells[m].value, 0, memory_order_relaxed);
}

/* Only the owning process writes a slot, and only its loop's thread does: no read-modify-write needs to be atomic. */
void
metric_add(enum metric m, int64_t n)
{
	_Atomic int64_t *v = &slots[mine].cells[m].value;

	atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

void
metric_set(enum metric m, int64_t v)
{
	atomic_store_explicit(&slots[mine].cells[m].value, v, memory_order_relaxed);
}

void
metric_observe(enum metric m, uint64_t us)
{
	_Atomic uint64_t *b;
	int i = 0;

	while (i < N_BOUNDS && us > bounds[i])
		i++;
	b = &slots[mine].buckets[m][i];
	atomic_store_explicit(b, atomic_load_explicit(b, memory_order_relaxed) + 1, memory_order_relaxed);
	metric_add(m, (int64_t)us);
}

int64_t
metric_value(enum metric m)
{
	int64_t sum = 0;

	for (unsigned s = 0; s < n_slots; s++)
		sum += atomic_load_explicit(&slots[s].cells[m].value, memory_order_relaxed);
	return sum;
}

static void
write_histogram(struct buf *b, int m)
{
	uint64_t seen = 0;

	for (int i = 0; i <= N_BOUNDS; i++) {
		for (unsigned s = 0; s < n_slots; s++)
			seen += atomic_load_explicit(&slots[s].buckets[m][i], memory_order_relaxed);
		if (i < N_BOUNDS)
			buf_printf(b, "%s_bucket{le=\"%g\"} %llu\n", rows[m].text, bounds[i] / 1e6, (unsigned long long)seen);
		else
			buf_printf(b, "%s_bucket{le=\"+Inf\"} %llu\n", rows[m].text, (unsigned long long)seen);
	}
	buf_printf(b, "%s_sum %.6f\n%s_count %llu\n", rows[m].text, (double)metric_value((enum metric)m) / 1e6, rows[m].text,
	    (unsigned long long)seen);
}

void
metric_write(struct buf *b)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};

	for (int m = 0; m < METRIC_N; m++) {
		buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", rows[m].text, rows[m].doc, rows[m].text, kinds[rows[m].kind]);
		if (rows[m].kind == HISTOGRAM)
			write_histogram(b, m);
		else
			buf_printf(b, "%s %lld\n", rows[m].text, (long long)metric_value((enum metric)m));
	}
}
