/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a test of an alert through the code that perceives: one engine, one alert, one service. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"

#define START_NS      (1000 * NS_PER_S)
#define START_WALL_US UINT64_C(1767571200000000) /* Monday, 2026-01-05T00:00:00Z */

struct run {
	struct engine *engine;
	const struct alert_test *test;
	const struct alert *alert;
	bool firing;
	uint32_t n_fires, n_clears;
	int r;
	struct err *reterr;
};

static const char *span(uint64_t span_ns, char buf[static STR_NUMBER_MAX])
{
	return str_number((double)span_ns / (double)NS_PER_S, buf);
}

/* What was expected next of this kind, as text. */
static void expected(const uint64_t *times_ns, uint32_t n, uint32_t i, char *buf, size_t size)
{
	char number[STR_NUMBER_MAX];

	buf[0] = '\0';
	if (i < n)
		str_append(buf, size, "at %ss", span(times_ns[i], number));
	else
		str_append(buf, size, i > 0 ? "no more" : "never");
}

static void on_change(struct run *x, uint64_t t_ns)
{
	const struct alert_test *t = x->test;
	const uint64_t *times_ns = x->firing ? t->fires_ns : t->clears_ns;
	uint32_t n = x->firing ? t->n_fires : t->n_clears;
	uint32_t i = x->firing ? x->n_fires++ : x->n_clears++;
	char number[STR_NUMBER_MAX], wanted[64];

	if (x->r < 0 || (i < n && times_ns[i] == t_ns))
		return;
	expected(times_ns, n, i, wanted, sizeof(wanted));
	x->r = err_set(x->reterr, -EBADMSG, "it %s at %ss, expected %s",
		       x->firing ? "fires" : "clears", span(t_ns, number), wanted);
}

static void look(struct run *x, uint64_t t_ns)
{
	bool firing = x->engine->n_windows > 0 && x->engine->windows[0].firing;

	if (firing == x->firing)
		return;
	x->firing = firing;
	on_change(x, t_ns);
}

static void set_time(struct run *x, uint64_t t_ns)
{
	x->engine->now_ns = START_NS + t_ns;
	x->engine->wall_us = START_WALL_US + t_ns / NS_PER_US;
	x->engine->n_commands = 0; /* what the engine wants, nobody here does */
}

static void feed(struct run *x, uint64_t t_ns, double value)
{
	struct sample s = { .entity = x->test->entity,
			    .provenance = PROVENANCE_KERNEL,
			    .t_ns = START_NS + t_ns,
			    .value = value };

	(void)str_copy(s.signal, sizeof(s.signal), x->alert->signal);
	set_time(x, t_ns);
	perceive_sample(x->engine, &s);
	look(x, t_ns);
}

static void run_on(struct run *x, const double *values)
{
	const struct alert_test *t = x->test;
	uint64_t tick_ns = 0;

	for (uint32_t i = 0; i < t->n_values && x->r == 0; i++) {
		uint64_t t_ns = i * t->every_ns;

		for (; tick_ns <= t_ns; tick_ns += NS_PER_S) {
			set_time(x, tick_ns);
			perceive_tick(x->engine);
			look(x, tick_ns);
		}
		feed(x, t_ns, values[i]);
	}
	for (; tick_ns <= t->until_ns && x->r == 0; tick_ns += NS_PER_S) {
		set_time(x, tick_ns);
		perceive_tick(x->engine);
		look(x, tick_ns);
	}
}

/* All that was expected has been. */
static int finish(struct run *x)
{
	const struct alert_test *t = x->test;
	bool fired = x->n_fires >= t->n_fires;
	char number[STR_NUMBER_MAX];

	if (x->r < 0 || (fired && x->n_clears >= t->n_clears))
		return x->r;
	return err_set(x->reterr, -EBADMSG, "it does not %s at %ss", fired ? "clear" : "fire",
		       span(fired ? t->clears_ns[x->n_clears] : t->fires_ns[x->n_fires], number));
}

int engine_test_alert(const struct alert *a, const struct alert_test *t, struct err *reterr)
{
	static const struct action_info no_actions[] = { { .name = NULL } };
	struct service service = { .name = "test",
				   .unit = "test.service",
				   .n_endpoints = 1,
				   .endpoints = { { .name = "test", .slow_ms = 250 } } };
	struct alert copy = *a;
	const struct services services = { 1, &service };
	const struct alerts alerts = { 1, &copy };
	const struct runbooks runbooks = { 0 };
	const struct engine_config config = { .services = &services,
					      .alerts = &alerts,
					      .runbooks = &runbooks,
					      .actions = no_actions };
	_cleanup_free_ double *values = calloc(t->n_values, sizeof(*values));
	_cleanup_(engine_freep) struct engine *e = NULL;
	struct run x = { .test = t, .alert = a, .reterr = reterr };
	ssize_t n;

	if (!rule_find(a->rule))
		return err_set(reterr, -EINVAL, "no rule '%s'", a->rule);
	if (!values)
		return err_set(reterr, -ENOMEM, "test alert '%s': Cannot allocate memory", a->id);
	n = alert_test_expand(t->values, values, t->n_values, reterr);
	if (n < 0)
		return (int)n;
	x.r = engine_new(&config, &e, reterr);
	x.engine = e;
	if (x.r == 0)
		run_on(&x, values);
	return finish(&x);
}
