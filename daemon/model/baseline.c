/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/baseline.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/median.h"

/* The epoch was a Thursday; which day is the week's first does not matter. */
#define HOUR_US (3600 * US_PER_S)

/* A level is as far as another when it goes this share of the way from the median. Ours: the same nightly
 * job takes more or less from one day to the next. */
#define AS_FAR_SHARE 0.8

/* Of the last 24 hours; a job that ran twice will run again. Ours. */
#define SEEN_MIN 2

/* A constant series has no spread at all. Ours: a change under 6 % of the level is then nothing. */
#define SPREAD_MIN_SHARE 0.01

void baseline_init(struct baseline *b)
{
	memset(b, 0, sizeof(*b));
	b->hour = -1;
	b->last_week = NAN;
	for (uint32_t i = 0; i < BASELINE_HOURS_MAX; i++)
		b->peak[i] = NAN;
}

/* The worst level that all of the last three blocks reached. */
static float persisted(const struct baseline *b, bool below)
{
	float v = b->persist[0];

	for (uint32_t i = 1; i < BASELINE_PERSIST_MAX; i++)
		if (below ? b->persist[i] > v : b->persist[i] < v)
			v = b->persist[i];
	return v;
}

static void learn_hour(struct baseline *b, bool below, double value, uint64_t wall_us)
{
	int32_t hour = (int32_t)(wall_us / HOUR_US % BASELINE_HOURS_MAX);
	float *peak = &b->peak[hour], level;

	if (hour != b->hour) {
		b->last_week = *peak;
		*peak = NAN;
		b->hour = hour;
		b->n_hours++;
	}
	b->persist[b->n_persist++ % BASELINE_PERSIST_MAX] = (float)value;
	if (b->n_persist < BASELINE_PERSIST_MAX)
		return;
	level = persisted(b, below);
	if (isnan(*peak) || (below ? level < *peak : level > *peak))
		*peak = level;
}

static void learn_recent(struct baseline *b, double value, uint64_t now_ns)
{
	double v[BASELINE_RECENT_MAX];
	uint32_t n;

	if (now_ns < b->recent_due_ns)
		return;
	b->recent_due_ns = now_ns + BASELINE_RECENT_NS;
	b->recent[b->n_recent++ % BASELINE_RECENT_MAX] = (float)value;
	n = b->n_recent < BASELINE_RECENT_MAX ? b->n_recent : BASELINE_RECENT_MAX;
	for (uint32_t i = 0; i < n; i++)
		v[i] = b->recent[i];
	b->median = (float)median_of(v, n);
	b->spread = (float)median_spread(v, n, b->median);
}

void baseline_learn(struct baseline *b, bool below, double value, uint64_t now_ns, uint64_t wall_us)
{
	learn_hour(b, below, value, wall_us);
	learn_recent(b, value, now_ns);
}

bool baseline_is_ready(const struct baseline *b)
{
	/* The first of the hours seen may have been its last minute. */
	return b->n_hours > BASELINE_LEARN_HOURS && b->n_recent >= BASELINE_RECENT_MAX;
}

double baseline_z(const struct baseline *b, bool below, double value)
{
	double least = SPREAD_MIN_SHARE * fabs((double)b->median);
	double spread = b->spread > least ? b->spread : least;
	double distance = below ? b->median - value : value - b->median;

	return distance <= 0 ? 0 : distance / (spread > 0 ? spread : 1e-9);
}

static bool is_as_far(const struct baseline *b, bool below, float peak, double value)
{
	double now = below ? b->median - value : value - b->median;
	double then = below ? b->median - peak : peak - b->median;

	return !isnan(peak) && then >= AS_FAR_SHARE * now;
}

bool baseline_is_ordinary(const struct baseline *b, bool below, double value)
{
	uint32_t hour = (uint32_t)b->hour + BASELINE_HOURS_MAX, seen = 0;
	static const uint32_t ago[] = { 23, 24, 25, BASELINE_HOURS_MAX - 1 };

	if (b->hour < 0)
		return false;
	if (is_as_far(b, below, b->last_week, value))
		return true;
	for (size_t i = 0; i < sizeof(ago) / sizeof(ago[0]); i++)
		if (is_as_far(b, below, b->peak[(hour - ago[i]) % BASELINE_HOURS_MAX], value))
			return true;
	for (uint32_t i = 1; i < 24; i++)
		seen += is_as_far(b, below, b->peak[(hour - i) % BASELINE_HOURS_MAX], value);
	return seen >= SEEN_MIN;
}
