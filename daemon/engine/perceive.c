/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples to events: the last value of every signal, a window for every alert. */
#include <math.h>
#include <string.h>

#include "engine/state.h"

#define PACKAGE_SIGNAL "host.package_manager_event"

/* The agent ticks each second. Ours: its watchdog is of the same order. */
#define MISSED_NS (5 * NS_PER_S)

const struct rule_ops *rule_find(const char *name)
{
	for (size_t i = 0; rule_registry[i]; i++)
		if (str_equal(rule_registry[i]->name, name))
			return rule_registry[i];
	return NULL;
}

/* FNV-1a, 32 bit. Source: Fowler, Noll, Vo; draft-eastlake-fnv. */
static uint32_t hash_text(uint32_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

uint32_t perceive_hash(const char *name, const struct entity *entity)
{
	uint32_t h = hash_text(2166136261u, name);

	return hash_text(h * 31 + (uint32_t)entity->kind, entity->name);
}

static struct signal_entry *find_signal(const struct engine *e, const char *signal,
					const struct entity *entity, uint32_t *ret_at)
{
	uint32_t at = perceive_hash(signal, entity) % ELEMENTSOF(e->signal_index);

	for (; e->signal_index[at]; at = (at + 1) % ELEMENTSOF(e->signal_index)) {
		const struct signal_entry *s = &e->signals[e->signal_index[at] - 1];

		if (str_equal(s->signal, signal) && entity_equal(&s->entity, entity))
			return (struct signal_entry *)s;
	}
	*ret_at = at;
	return NULL;
}

const struct signal_entry *perceive_latest(const struct engine *e, const char *signal,
					   const struct entity *entity)
{
	uint32_t at;

	return find_signal(e, signal, entity, &at);
}

static struct signal_entry *add_signal(struct engine *e, const char *signal,
				       const struct entity *entity, uint32_t at)
{
	struct signal_entry *s;

	if (e->n_signals == ENGINE_SIGNALS_MAX) {
		e->stats.overflow++;
		return NULL;
	}
	s = &e->signals[e->n_signals++];
	e->signal_index[at] = (uint16_t)e->n_signals;
	memset(s, 0, sizeof(*s));
	(void)str_copy(s->signal, sizeof(s->signal), signal);
	s->entity = *entity;
	return s;
}

static void remember(struct engine *e, const struct sample *sample)
{
	uint32_t at = 0;
	struct signal_entry *s = find_signal(e, sample->signal, &sample->entity, &at);

	if (!s)
		s = add_signal(e, sample->signal, &sample->entity, at);
	if (!s || s->t_ns > sample->t_ns)
		return;
	s->t_ns = sample->t_ns;
	s->value = sample->value;
	s->source = sample->source;
	s->provenance = sample->provenance;
}

static void firing_add(struct engine *e, const struct window *w)
{
	if (e->n_firing < ENGINE_FIRING_MAX)
		e->firing[e->n_firing++] = (uint16_t)(w - e->windows);
	else
		e->stats.overflow++;
}

static void firing_remove(struct engine *e, const struct window *w)
{
	for (uint32_t i = 0; i < e->n_firing; i++)
		if (e->firing[i] == w - e->windows) {
			e->firing[i] = e->firing[--e->n_firing];
			return;
		}
}

static void window_eval(struct engine *e, struct window *w)
{
	bool firing = w->rule->eval(w->alert, &w->points, w->bound, w->firing, e->now_ns);

	if (firing == w->firing)
		return;
	w->firing = firing;
	if (firing) {
		firing_add(e, w);
		correlate_fired(e, w, window_figure(e, w));
	} else {
		firing_remove(e, w);
		w->held = false;
		correlate_cleared(e, w, window_figure(e, w));
	}
}

static void feed_alert(struct engine *e, const struct alert *a, const struct sample *sample)
{
	struct window *w = window_get(e, a, &sample->entity);

	if (w && window_push(e, w, sample->t_ns, sample->value))
		window_eval(e, w);
}

/* The head of the list that holds the signal's alerts, and maybe others'. */
static uint32_t first_alert(const struct engine *e, const char *signal)
{
	return e->alert_index[hash_text(2166136261u, signal) % ELEMENTSOF(e->alert_index)];
}

void perceive_sample(struct engine *e, const struct sample *sample)
{
	bool managed = correlate_is_managed(e, &sample->entity);
	const struct alerts *alerts = e->config.alerts;

	if (!isfinite(sample->value))
		return;
	if (str_equal(sample->signal, PACKAGE_SIGNAL))
		e->package_ns = sample->t_ns;
	if (managed)
		remember(e, sample);
	for (uint32_t i = first_alert(e, sample->signal); i; i = e->alert_next[i - 1])
		if (str_equal(alerts->v[i - 1].signal, sample->signal) &&
		    (managed || !alerts->v[i - 1].managed_only))
			feed_alert(e, &alerts->v[i - 1], sample);
	for (size_t i = 0; managed && e->stats.open > 0 && i < ELEMENTSOF(e->slots); i++) {
		if (e->slots[i].stage == STAGE_ACT)
			verify_watch(e, &e->slots[i]);
		else if (e->slots[i].stage == STAGE_VERIFY)
			verify_step(e, &e->slots[i]);
	}
}

/* A time that nobody has seen is no silence: the host slept, or we were not let run. */
static void forgive_timed(struct engine *e, uint64_t missed_ns)
{
	for (uint32_t i = 0; i < e->n_timed; i++) {
		struct window *w = &e->windows[e->timed[i]];

		for (uint32_t k = 0; k < w->points.n && w->rule->block == RULE_BLOCK_NONE; k++)
			e->points[w->first + k].t_ns += missed_ns;
	}
}

static void tick_timed(struct engine *e)
{
	uint64_t passed_ns = e->now_ns - e->timed_ns;

	if (passed_ns < NS_PER_S)
		return;
	if (e->timed_ns > 0 && passed_ns > MISSED_NS)
		forgive_timed(e, passed_ns);
	e->timed_ns = e->now_ns;
	for (uint32_t i = 0; i < e->n_timed; i++) {
		struct window *w = &e->windows[e->timed[i]];

		if (window_advance(e, w))
			window_eval(e, w);
	}
}

/* What has no end of its own ends by time. */
void perceive_tick(struct engine *e)
{
	tick_timed(e);
	for (uint32_t i = e->n_firing; i > 0; i--)
		if (i <= e->n_firing)
			window_eval(e, &e->windows[e->firing[i - 1]]);
}

static bool is_event_rule(const struct window *w)
{
	return str_equal(w->rule->name, "event");
}

uint64_t perceive_next_ns(const struct engine *e)
{
	for (uint32_t i = 0; i < e->n_firing; i++)
		if (is_event_rule(&e->windows[e->firing[i]]) ||
		    (e->windows[e->firing[i]].held &&
		     e->windows[e->firing[i]].alert->severity != SEVERITY_INFO))
			return e->now_ns + NS_PER_S;
	return CLOCK_NEVER_NS;
}

bool perceive_is_firing(const struct engine *e, const struct entity *primary, bool events)
{
	for (uint32_t i = 0; i < e->n_firing; i++) {
		const struct window *w = &e->windows[e->firing[i]];
		struct entity p = correlate_primary(e, &w->entity);

		if (w->alert->severity != SEVERITY_INFO && entity_equal(&p, primary) &&
		    (events || (!is_event_rule(w) && !w->rule->looks_back)))
			return true;
	}
	return false;
}

static void keep_signals(struct engine *e)
{
	uint32_t n = e->n_signals, at = 0;

	e->n_signals = 0;
	memset(e->signal_index, 0, sizeof(e->signal_index));
	for (uint32_t i = 0; i < n; i++) {
		const struct signal_entry *s = &e->signals[i];

		if (!correlate_is_managed(e, &s->entity))
			continue;
		(void)find_signal(e, s->signal, &s->entity, &at);
		e->signals[e->n_signals++] = *s;
		e->signal_index[at] = (uint16_t)e->n_signals;
	}
}

static void index_alerts(struct engine *e)
{
	const struct alerts *all = e->config.alerts;

	memset(e->alert_index, 0, sizeof(e->alert_index));
	for (uint32_t i = all->n; i > 0; i--) {
		uint32_t at = hash_text(2166136261u, all->v[i - 1].signal) %
			      ELEMENTSOF(e->alert_index);

		e->alert_next[i - 1] = e->alert_index[at];
		e->alert_index[at] = (uint16_t)i;
	}
}

void perceive_configure(struct engine *e)
{
	index_alerts(e);
	window_configure(e);
	e->n_firing = 0;
	for (uint32_t i = 0; i < e->n_windows; i++)
		if (e->windows[i].firing)
			firing_add(e, &e->windows[i]);
	keep_signals(e);
}
