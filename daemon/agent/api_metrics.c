/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/api.h"
#include "ipc/metrics.h"

#define POINTS_MAX 4000 /* of one answer */

/* Adds the seconds from first on, step of them together. Returns points. */
static uint64_t add_series(struct metrics_answer *answer, const struct series *s, uint64_t first,
			   uint64_t step)
{
	/* The clock of the samples is not the wall's: as far apart as they are now. */
	uint64_t offset_us = clock_wall_us() - clock_boot_ns() / NS_PER_US;
	uint64_t last = s->t_ns / NS_PER_S, n_points = 0;

	for (uint64_t start = first; start <= last; start += step) {
		struct metrics_point p = { .min = INFINITY, .max = -INFINITY };
		uint64_t n = 0;
		double v;

		for (uint64_t i = start; i < start + step; i++) {
			if (!series_value_at(s, i, &v))
				continue;
			p.min = v < p.min ? v : p.min;
			p.max = v > p.max ? v : p.max;
			p.mean += v;
			n++;
		}
		if (n == 0)
			continue;
		p.mean /= (double)n;
		p.wall_us = (start * US_PER_S + offset_us) / US_PER_S * US_PER_S;
		metrics_add(answer, s->rollup.signal, &s->rollup.entity, &p);
		n_points++;
	}
	return n_points;
}

static bool is_wanted(const struct series *s, const struct query_metrics *q)
{
	return (!q->signal || metrics_match(q->signal, s->rollup.signal)) &&
	       (!q->has_entity || entity_equal(&q->entity, &s->rollup.entity));
}

int api_get_metrics_query(void *userdata, const struct http_request *rq, struct http_answer *ret,
			  struct err *reterr)
{
	const struct agent *a = userdata;
	struct query_metrics q = { .rows_max = POINTS_MAX, .step_s = 1 };
	struct metrics_answer answer;
	uint64_t now = clock_boot_ns() / NS_PER_S, n = 0;
	uint64_t first = now > ROLLUP_RECENT_S ? now - ROLLUP_RECENT_S : 0;
	int r = query_metrics_parse(rq, &q, reterr);

	if (r == 0 && (q.since_us || q.until_us || q.step_s > ROLLUP_RECENT_S))
		return err_set(reterr, -EINVAL,
			       "the agent has each second of the last minute; ask the recorder");
	if (r < 0)
		return r;
	metrics_begin(&answer, q.step_s);
	for (uint32_t i = 0; i < a->rollups.n && n < q.rows_max; i++)
		if (is_wanted(&a->rollups.v[i], &q))
			n += add_series(&answer, &a->rollups.v[i], first, q.step_s);
	if (metrics_end(&answer, n >= q.rows_max, &ret->json) < 0)
		return err_set(reterr, -ENOMEM, "answer: %s", strerror(ENOMEM));
	return 0;
}
