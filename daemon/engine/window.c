/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the rules look at. All points lie in one array, each window with its part of it, so that an alert
 * costs what it looks at and one that is not there costs nothing. */
#include <math.h>
#include <string.h>

#include "engine/state.h"

#define BLOCKS_OF_OVER 60

static uint32_t points_of(const struct alert *a, const struct rule_ops *rule)
{
	uint32_t n = a->n > a->clear_n ? a->n : a->clear_n;

	if (rule->block != RULE_BLOCK_NONE && rule->block_ns == 0)
		return rule->blocks > 0 ? rule->blocks : RULE_BLOCKS_MAX;
	return n < 1 ? 1 : n > ALERT_WINDOW_MAX ? ALERT_WINDOW_MAX : n;
}

/* Events are counted; a value that is a rate already is not added up. */
static enum rule_block block_of(const struct alert *a, const struct rule_ops *rule)
{
	size_t length = strlen(a->signal);
	bool event = length > 6 && str_equal(a->signal + length - 6, "_event");

	if (rule->block == RULE_BLOCK_NONE && !rule->timed && a->over_ns > 0)
		return RULE_BLOCK_MEAN;
	return rule->block == RULE_BLOCK_RATE && !event ? RULE_BLOCK_MEAN : rule->block;
}

static uint64_t block_ns(const struct window *w)
{
	uint64_t span_ns = w->rule->block_ns ? w->rule->block_ns :
					       w->alert->over_ns / BLOCKS_OF_OVER;

	return span_ns < NS_PER_S ? NS_PER_S : span_ns;
}

static struct window *find_window(struct engine *e, const struct alert *alert,
				  const struct entity *entity, uint32_t *ret_at)
{
	uint32_t at = perceive_hash(alert->id, entity) % ELEMENTSOF(e->window_index);

	for (; e->window_index[at]; at = (at + 1) % ELEMENTSOF(e->window_index)) {
		struct window *w = &e->windows[e->window_index[at] - 1];

		if (str_equal(w->id, alert->id) && entity_equal(&w->entity, entity))
			return w;
	}
	*ret_at = at;
	return NULL;
}

static double alert_bound(const struct engine *e, const struct alert *a,
			  const struct entity *entity)
{
	const struct endpoint *endpoint = NULL;

	if (a->bound == ALERT_BOUND_SERVICE_SLOW_MS && correlate_service(e, entity, &endpoint) &&
	    endpoint)
		return endpoint->slow_ms;
	return a->threshold;
}

static struct baseline *take_baseline(struct engine *e)
{
	for (uint32_t i = 0; i < ELEMENTSOF(e->baselines); i++)
		if (!e->baseline_used[i]) {
			e->baseline_used[i] = true;
			baseline_init(&e->baselines[i]);
			return &e->baselines[i];
		}
	return NULL;
}

/* Its part of the points, and a baseline where the rule wants one. Returns false where there is no room. */
static bool take_room(struct engine *e, struct window *w)
{
	uint32_t keep = points_of(w->alert, w->rule);

	if (e->n_points + keep > ENGINE_POINTS_MAX)
		return false;
	if (w->rule->baseline && !w->baseline)
		w->baseline = take_baseline(e);
	if (w->rule->baseline && !w->baseline)
		return false;
	w->first = e->n_points;
	w->keep = keep;
	e->n_points += keep;
	w->block_end_ns = 0;
	w->points = (struct rule_window){ .points = &e->points[w->first], .baseline = w->baseline };
	return true;
}

static void index_window(struct engine *e, const struct window *w, uint32_t at)
{
	uint32_t i = (uint32_t)(w - e->windows);

	e->window_index[at] = (uint16_t)(i + 1);
	if (w->rule->timed)
		e->timed[e->n_timed++] = (uint16_t)i;
}

struct window *window_get(struct engine *e, const struct alert *alert, const struct entity *entity)
{
	const struct rule_ops *rule;
	struct window *w;
	uint32_t at = 0;

	w = find_window(e, alert, entity, &at);
	if (w)
		return w;
	rule = rule_find(alert->rule);
	if (!rule)
		return NULL;
	w = &e->windows[e->n_windows];
	if (e->n_windows < ENGINE_WINDOWS_MAX) {
		*w = (struct window){ .alert = alert, .rule = rule, .entity = *entity };
		(void)str_copy(w->id, sizeof(w->id), alert->id);
		w->bound = alert_bound(e, alert, entity);
		w->span_ns = block_ns(w);
		w->block = block_of(alert, rule);
	}
	if (e->n_windows == ENGINE_WINDOWS_MAX || !take_room(e, w)) {
		e->stats.overflow++;
		return NULL;
	}
	e->n_windows++;
	index_window(e, w, at);
	return w;
}

static void push_point(struct engine *e, struct window *w, uint64_t t_ns, double value)
{
	struct rule_point *p = &e->points[w->first];

	if (w->points.n >= w->keep) {
		memmove(p, p + 1, (w->keep - 1) * sizeof(*p));
		w->points.n = w->keep - 1;
	}
	p[w->points.n++] = (struct rule_point){ t_ns, value };
}

static void end_block(struct engine *e, struct window *w)
{
	double value = w->block_sum;

	if (w->block == RULE_BLOCK_MEAN && w->block_n > 0)
		value /= w->block_n;
	else if (w->block == RULE_BLOCK_RATE)
		value /= (double)w->span_ns / (double)NS_PER_S;
	push_point(e, w, w->block_end_ns, value);
	if (w->baseline)
		baseline_learn(w->baseline, w->alert->below != 0, value, w->block_end_ns,
			       e->wall_us);
	w->block_sum = 0;
	w->block_n = 0;
}

/* The blocks of a rate are one after the other, as nothing is a number, too; others wait for a value. */
static bool end_blocks(struct engine *e, struct window *w, uint64_t t_ns)
{
	uint64_t span_ns = w->span_ns;
	bool ended = false;

	if (w->block_end_ns > 0 && t_ns >= w->block_end_ns + w->keep * span_ns)
		w->block_end_ns = 0, w->points.n = 0; /* nothing of it is left */
	while (w->block_end_ns > 0 && t_ns >= w->block_end_ns) {
		bool counts = w->block_n > 0 || w->block == RULE_BLOCK_RATE;

		if (counts)
			end_block(e, w);
		ended = ended || counts;
		w->block_end_ns += span_ns;
	}
	if (w->block_end_ns == 0)
		w->block_end_ns = t_ns - t_ns % span_ns + span_ns;
	return ended;
}

bool window_push(struct engine *e, struct window *w, uint64_t t_ns, double value)
{
	bool ended;

	if (w->block == RULE_BLOCK_NONE) {
		push_point(e, w, t_ns, value);
		return true;
	}
	ended = end_blocks(e, w, t_ns);
	if (w->block == RULE_BLOCK_RATE)
		value = 1; /* what an event says is whom it is about */
	else if (w->rule->measure)
		value = w->rule->measure(w->alert, w->bound, value);
	w->block_sum = w->block == RULE_BLOCK_LAST ? value : w->block_sum + value;
	w->block_n++;
	return ended;
}

bool window_advance(struct engine *e, struct window *w)
{
	return w->block == RULE_BLOCK_NONE || end_blocks(e, w, e->now_ns);
}

double window_figure(const struct engine *e, const struct window *w)
{
	if (w->rule->figure)
		return w->rule->figure(w->alert, &w->points, w->bound, e->now_ns);
	return w->points.n > 0 ? w->points.points[w->points.n - 1].value : 0;
}

static bool is_wanted(const struct engine *e, const struct window *w, const struct alert *a)
{
	return a && rule_find(a->rule) && (!a->managed_only || correlate_is_managed(e, &w->entity));
}

static void drop_baseline(struct engine *e, struct window *w)
{
	if (w->baseline)
		e->baseline_used[w->baseline - e->baselines] = false;
	w->baseline = NULL;
}

/* Moves a window's points down to where the last one ended. */
static void pack_points(struct engine *e, struct window *w)
{
	memmove(&e->points[e->n_points], &e->points[w->first], w->points.n * sizeof(e->points[0]));
	w->first = e->n_points;
	e->n_points += w->keep;
	w->points.points = &e->points[w->first];
}

/* Gives the window its new alert. Returns false where its points say nothing to it. */
static bool renew(struct engine *e, struct window *w, const struct alert *a)
{
	const struct rule_ops *old = w->rule;
	uint64_t old_span_ns = w->span_ns;

	w->alert = a;
	w->rule = rule_find(a->rule);
	w->bound = alert_bound(e, a, &w->entity);
	w->span_ns = block_ns(w);
	w->block = block_of(a, w->rule);
	return old == w->rule && old_span_ns == w->span_ns && w->keep == points_of(a, w->rule);
}

/* First those that go on, each to where the one before it ends. */
static uint32_t keep_windows(struct engine *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->n_windows; i++) {
		struct window *w = &e->windows[i];
		const struct alert *a = alerts_find(e->config.alerts, w->id);

		if (!is_wanted(e, w, a)) {
			drop_baseline(e, w);
			continue;
		}
		if (renew(e, w, a))
			pack_points(e, w);
		else
			w->keep = 0;
		e->windows[n++] = *w;
	}
	return n;
}

void window_configure(struct engine *e)
{
	uint32_t n, at = 0;

	e->n_timed = e->n_points = 0;
	memset(e->window_index, 0, sizeof(e->window_index));
	n = keep_windows(e);
	e->n_windows = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct window *w = &e->windows[i];

		if (w->keep == 0) {
			drop_baseline(e, w);
			if (!take_room(e, w)) {
				e->stats.overflow++;
				continue;
			}
		}
		(void)find_window(e, w->alert, &w->entity, &at);
		e->windows[e->n_windows] = *w;
		index_window(e, &e->windows[e->n_windows++], at);
	}
}
