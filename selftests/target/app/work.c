/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "selftests/target/app/work.h"

/* Work for one answer, as CPU time of an undisturbed run: what starves the service of it is seen in
 * the latency, on a fast machine as on a slow one. Over what a scheduler lends to a sleeper that wakes
 * up (6 ms on two CPUs, source: kernel/sched/fair.c, place_entity() in 6.1). */
#define WORK_NS          (20 * NS_PER_MS)
#define WORK_CHUNK_BYTES 4096
#define TRIAL_CHUNKS     64
#define TRIALS_MAX       4096
#define MEASURE_NS       (80 * NS_PER_MS)

static uint64_t cpu_ns(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Source: FNV-1a, 64 bits. */
static uint64_t hash(uint64_t h, const unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * UINT64_C(1099511628211);
	return h;
}

uint64_t work_do(uint64_t seed, uint64_t chunks)
{
	unsigned char data[WORK_CHUNK_BYTES] = { 0 };
	uint64_t h = UINT64_C(14695981039346656037) ^ seed;

	for (uint64_t i = 0; i < chunks; i++) {
		h = hash(h, data, sizeof(data));
		memcpy(data, &h, sizeof(h));
	}
	return h;
}

/* Over many trials at once: where the TSC is not trusted, as in an emulated guest, this clock goes in
 * steps of 4 ms, and a single trial takes nothing or one step. */
uint64_t work_measure_chunks(void)
{
	uint64_t start_ns = cpu_ns(), took_ns = 0, chunks = 0;
	volatile uint64_t sink;

	for (uint64_t i = 0; took_ns < MEASURE_NS && i < TRIALS_MAX; i++) {
		sink = work_do(i, TRIAL_CHUNKS);
		(void)sink;
		chunks += TRIAL_CHUNKS;
		took_ns = cpu_ns() - start_ns;
	}
	return took_ns > 0 ? WORK_NS * chunks / took_ns : TRIAL_CHUNKS;
}
