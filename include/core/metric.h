/* Counters and histograms in shared memory, so that one scrape of any process sees all (include/tbl/metrics.h). */
#ifndef BADAL_CORE_METRIC_H
#define BADAL_CORE_METRIC_H

#include <stdint.h>

#include "core/str.h"

enum metric {
#define METRIC(name, kind, text, doc) M_##name,
#include "tbl/metrics.h"
#undef METRIC
	METRIC_N
};

void metric_init(unsigned slots);		/* in the supervisor, before fork: one slot per process */
void metric_slot(unsigned slot);		/* in a role: which slot is ours; gauges of a dead role are cleared */
void metric_add(enum metric m, int64_t n);	/* counters and gauges */
void metric_set(enum metric m, int64_t v);	/* gauges */
void metric_observe(enum metric m, uint64_t microseconds);	/* histograms */
void metric_write(struct buf *b);		/* Prometheus text of all slots summed */
int64_t metric_value(enum metric m);		/* summed over slots */

#endif
