/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/timex.h>

#include "base/clock.h"
#include "ops/probe.h"

#define INTERVAL_NS (10 * NS_PER_S)
/* An adjusted clock is slewed by 500 ppm at most, and our two clocks are read some microseconds apart:
 * what is more was set. Source: adjtimex(2), MAXFREQ. */
#define STEP_NS (NS_PER_S / 1000)

enum { SIGNAL_SYNCHRONIZED, SIGNAL_OFFSET, SIGNAL_ERROR, SIGNAL_STEP };

#define SIGNAL(n, h)                                                      \
	{                                                                 \
		n, ENTITY_KIND_CLOCK, SOURCE_PROCFS, PROVENANCE_KERNEL, h \
	}

static const struct signal_spec signals[] = {
	[SIGNAL_SYNCHRONIZED] = SIGNAL("clock.synchronized_bool",
				       "1 while a time service keeps the clock right, else 0"),
	[SIGNAL_OFFSET] = SIGNAL("clock.offset_ms",
				 "what the kernel still has to correct, either way"),
	[SIGNAL_ERROR] = SIGNAL("clock.error_max_ms", "how wrong the clock may be at most"),
	[SIGNAL_STEP] = SIGNAL("clock.step_ms",
			       "how far it was set, either way, within the last second"),
	{ .name = NULL },
};

static const char name[] = "realtime"; /* as in clock_gettime(2) */

struct state {
	const struct probe_context *c;
	uint64_t next_ns;
	uint64_t last_boot_ns, last_wall_us; /* 0: none yet */
};

/* The wall clock's way since the last look less the way of a clock that nobody can set. */
static void measure_step(struct state *s, uint64_t boot_ns, uint64_t wall_us, uint64_t now_ns)
{
	double step_ns;

	if (s->last_boot_ns) {
		step_ns = ((double)wall_us - (double)s->last_wall_us) * (double)NS_PER_US -
			  (double)(boot_ns - s->last_boot_ns);
		if (fabs(step_ns) < (double)STEP_NS)
			step_ns = 0;
		probe_emit(s->c, &signals[SIGNAL_STEP], name, now_ns,
			   fabs(step_ns) / (double)NS_PER_MS);
	}
	s->last_boot_ns = boot_ns;
	s->last_wall_us = wall_us;
}

/* Asks only: .modes is 0. */
static void measure_sync(const struct state *s, uint64_t now_ns)
{
	struct timex t = { .modes = 0 };
	double offset_ms;

	if (adjtimex(&t) < 0)
		return;
	offset_ms = (double)t.offset / (double)(t.status & STA_NANO ? NS_PER_MS : 1000);
	probe_emit(s->c, &signals[SIGNAL_SYNCHRONIZED], name, now_ns, !(t.status & STA_UNSYNC));
	probe_emit(s->c, &signals[SIGNAL_OFFSET], name, now_ns, fabs(offset_ms));
	probe_emit(s->c, &signals[SIGNAL_ERROR], name, now_ns, (double)t.maxerror / 1000);
}

static void tick(void *state, uint64_t now_ns)
{
	struct state *s = state;

	measure_step(s, clock_boot_ns(), clock_wall_us(), now_ns);
	if (now_ns < s->next_ns)
		return;
	s->next_ns = now_ns + INTERVAL_NS;
	measure_sync(s, now_ns);
}

static int supported(const struct probe_context *c, struct err *reterr)
{
	struct timex t = { .modes = 0 };

	(void)c;
	if (adjtimex(&t) < 0)
		return err_set(reterr, -EOPNOTSUPP, "read clock: %s", strerror(errno));
	return 0;
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(reterr, -ENOMEM, "watch clock: %s", strerror(ENOMEM));
	s->c = c;
	*ret_state = s;
	return 0;
}

const struct probe_ops probe_clock = {
	.name = "clock",
	.summary = "whether the clock is kept right, and when it is set",
	.source = "adjtimex(2), clock_gettime(2)",
	.signals = signals,
	.optional = true,
	.supported = supported,
	.start = start,
	.tick = tick,
	.stop = free,
};
