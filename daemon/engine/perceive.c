/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples to events: the last value of every signal, a window for every alert. */
#include <math.h>
#include <string.h>

#include "engine/state.h"

#define PACKAGE_SIGNAL "host.package_manager_event"

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

static uint32_t hash_key(const char *name, const struct entity *entity)
{
	uint32_t h = hash_text(2166136261u, name);

	return hash_text(h * 31 + (uint32_t)entity->kind, entity->name);
}

static struct signal_entry *find_signal(const struct engine *e, const char *signal,
					const struct entity *entity, uint32_t *ret_at)
{
	uint32_t at = hash_key(signal, entity) % ELEMENTSOF(e->signal_index);

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

static struct window *find_window(struct engine *e, const struct alert *alert,
				  const struct entity *entity, uint32_t *ret_at)
{
	uint32_t at = hash_key(alert->id, entity) % ELEMENTSOF(e->window_index);

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

static struct window *add_window(struct engine *e, const struct alert *alert,
				 const struct entity *entity, uint32_t at)
{
	const struct rule_ops *rule = rule_find(alert->rule);
	struct window *w;

	if (!rule)
		return NULL;
	if (e->n_windows == ENGINE_WINDOWS_MAX) {
		e->stats.overflow++;
		return NULL;
	}
	w = &e->windows[e->n_windows++];
	e->window_index[at] = (uint16_t)e->n_windows;
	*w = (struct window){ .alert = alert, .rule = rule, .entity = *entity };
	(void)str_copy(w->id, sizeof(w->id), alert->id);
	w->bound = alert_bound(e, alert, entity);
	return w;
}

static void push_point(struct window *w, uint64_t t_ns, double value)
{
	const struct alert *a = w->alert;
	uint32_t keep = a->n > a->clear_n ? a->n : a->clear_n;
	struct rule_window *p = &w->points;

	keep = keep < 1 ? 1 : keep > ALERT_WINDOW_MAX ? ALERT_WINDOW_MAX : keep;
	if (p->n >= keep) {
		memmove(p->points, p->points + (p->n - keep + 1),
			(keep - 1) * sizeof(p->points[0]));
		p->n = keep - 1;
	}
	p->points[p->n++] = (struct rule_point){ t_ns, value };
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
	double value = w->points.n ? w->points.points[w->points.n - 1].value : 0;
	bool firing = w->rule->eval(w->alert, &w->points, w->bound, w->firing, e->now_ns);

	if (firing == w->firing)
		return;
	w->firing = firing;
	if (firing) {
		firing_add(e, w);
		correlate_fired(e, w, value);
	} else {
		firing_remove(e, w);
		w->held = false;
		correlate_cleared(e, w, value);
	}
}

static void feed_alert(struct engine *e, const struct alert *a, const struct sample *sample)
{
	uint32_t at = 0;
	struct window *w = find_window(e, a, &sample->entity, &at);

	if (!w)
		w = add_window(e, a, &sample->entity, at);
	if (!w)
		return;
	push_point(w, sample->t_ns, sample->value);
	window_eval(e, w);
}

void perceive_sample(struct engine *e, const struct sample *sample)
{
	bool managed = sample->entity.kind == ENTITY_KIND_HOST ||
		       correlate_service(e, &sample->entity, NULL);
	const struct alerts *alerts = e->config.alerts;

	if (!isfinite(sample->value))
		return;
	if (str_equal(sample->signal, PACKAGE_SIGNAL))
		e->package_ns = sample->t_ns;
	if (managed)
		remember(e, sample);
	for (uint32_t i = 0; i < alerts->n; i++)
		if (str_equal(alerts->v[i].signal, sample->signal) &&
		    (managed || !alerts->v[i].managed_only))
			feed_alert(e, &alerts->v[i], sample);
	for (size_t i = 0; managed && e->stats.open > 0 && i < ELEMENTSOF(e->slots); i++) {
		if (e->slots[i].stage == STAGE_ACT)
			verify_watch(e, &e->slots[i]);
		else if (e->slots[i].stage == STAGE_VERIFY)
			verify_step(e, &e->slots[i]);
	}
}

/* What has no end of its own ends by time. */
void perceive_tick(struct engine *e)
{
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
		if (is_event_rule(&e->windows[e->firing[i]]) || e->windows[e->firing[i]].held)
			return e->now_ns + NS_PER_S;
	return CLOCK_NEVER_NS;
}

bool perceive_is_firing(const struct engine *e, const struct entity *primary, bool events)
{
	for (uint32_t i = 0; i < e->n_firing; i++) {
		const struct window *w = &e->windows[e->firing[i]];
		struct entity p = correlate_primary(e, &w->entity);

		if (entity_equal(&p, primary) && (events || !is_event_rule(w)))
			return true;
	}
	return false;
}

static bool window_still_wanted(const struct engine *e, const struct window *w,
				const struct alert *a)
{
	return a && rule_find(a->rule) &&
	       (!a->managed_only || w->entity.kind == ENTITY_KIND_HOST ||
		correlate_service(e, &w->entity, NULL));
}

static void keep_windows(struct engine *e)
{
	uint32_t n = e->n_windows, at = 0;

	e->n_windows = e->n_firing = 0;
	memset(e->window_index, 0, sizeof(e->window_index));
	for (uint32_t i = 0; i < n; i++) {
		struct window *w = &e->windows[i];
		const struct alert *a = alerts_find(e->config.alerts, w->id);

		if (!window_still_wanted(e, w, a))
			continue;
		(void)find_window(e, a, &w->entity, &at);
		e->windows[e->n_windows] = *w;
		w = &e->windows[e->n_windows++];
		e->window_index[at] = (uint16_t)e->n_windows;
		w->alert = a;
		w->rule = rule_find(a->rule);
		w->bound = alert_bound(e, a, &w->entity);
		if (w->firing)
			firing_add(e, w);
	}
}

static void keep_signals(struct engine *e)
{
	uint32_t n = e->n_signals, at = 0;

	e->n_signals = 0;
	memset(e->signal_index, 0, sizeof(e->signal_index));
	for (uint32_t i = 0; i < n; i++) {
		const struct signal_entry *s = &e->signals[i];

		if (s->entity.kind != ENTITY_KIND_HOST && !correlate_service(e, &s->entity, NULL))
			continue;
		(void)find_signal(e, s->signal, &s->entity, &at);
		e->signals[e->n_signals++] = *s;
		e->signal_index[at] = (uint16_t)e->n_signals;
	}
}

void perceive_configure(struct engine *e)
{
	keep_windows(e);
	keep_signals(e);
}
