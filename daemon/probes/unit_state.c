/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "ops/probe.h"
#include "sys/unitbus.h"
#include "sys/watch.h"

enum { SIGNAL_ACTIVE, SIGNAL_FAILED, SIGNAL_RESTARTS, SIGNAL_ENDED };

static const struct signal_spec signals[] = {
	[SIGNAL_ACTIVE] = { "unit.active_bool", ENTITY_KIND_UNIT, SOURCE_SYSTEMD, PROVENANCE_SYSTEM,
			    "1 while systemd says active or reloading, 0 otherwise" },
	[SIGNAL_FAILED] = { "unit.failed_bool", ENTITY_KIND_UNIT, SOURCE_SYSTEMD, PROVENANCE_SYSTEM,
			    "1 while systemd says failed" },
	[SIGNAL_RESTARTS] = { "unit.restarts_count", ENTITY_KIND_UNIT, SOURCE_SYSTEMD,
			      PROVENANCE_SYSTEM,
			      "automatic restarts by the unit's own Restart= since it was started" },
	[SIGNAL_ENDED] = { "unit.ended_bool", ENTITY_KIND_UNIT, SOURCE_SYSTEMD, PROVENANCE_SYSTEM,
			   "1 while it is down because its main process ended well, unasked" },
	{ .name = NULL },
};

struct state {
	const struct probe_context *c;
	struct unitbus *bus;
};

static void emit_unit(const struct probe_context *c, const struct watch_unit *u, uint64_t now_ns)
{
	probe_emit(c, &signals[SIGNAL_ACTIVE], u->name, now_ns, unit_status_is_active(&u->status));
	probe_emit(c, &signals[SIGNAL_FAILED], u->name, now_ns, unit_status_is_failed(&u->status));
	probe_emit(c, &signals[SIGNAL_RESTARTS], u->name, now_ns, u->status.n_restarts);
	probe_emit(c, &signals[SIGNAL_ENDED], u->name, now_ns,
		   unit_status_has_ended_itself(&u->status, u->unasked_exit_mono_us));
}

static void on_unit(void *userdata, const char *unit, const struct unit_status *status)
{
	struct state *s = userdata;
	struct watch_unit *u = watch_find(s->c->watch, unit);

	if (!u)
		return;
	u->status = *status;
	if (str_equal(status->active_state, "deactivating") && status->job_id == 0)
		u->unasked_exit_mono_us = status->active_exit_mono_us;
	u->status_is_known = true;
	(void)watch_refresh_cgroup(s->c->watch, u);
	emit_unit(s->c, u, clock_boot_ns());
}

static void on_up(void *userdata, sd_bus *bus)
{
	struct state *s = userdata;

	s->c->watch->bus = bus;
}

/* What was known is old now: nothing is said of the units until systemd has answered again. */
static void on_down(void *userdata)
{
	struct state *s = userdata;
	struct watch *w = s->c->watch;

	w->bus = NULL;
	for (uint32_t i = 0; i < w->n_units; i++)
		w->units[i].status_is_known = false;
}

static int watch_all(struct state *s, struct err *reterr)
{
	const char *names[UNITBUS_UNITS_MAX] = { NULL };
	const struct watch *w = s->c->watch;
	size_t n = 0;

	for (; n < w->n_units && n < UNITBUS_UNITS_MAX; n++)
		names[n] = w->units[n].name;
	return unitbus_watch(s->bus, names, n, reterr);
}

static void stop(void *state)
{
	struct state *s = state;

	s->c->watch->bus = NULL;
	unitbus_free(s->bus);
	free(s);
}

static int start(const struct probe_context *c, void **ret_state, struct err *reterr)
{
	static const struct unitbus_handlers handlers = { on_unit, on_up, on_down };
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(reterr, -ENOMEM, "watch units: %s", strerror(ENOMEM));
	s->c = c;
	r = unitbus_new(c->event, NULL, &handlers, s, &s->bus, reterr);
	if (r >= 0)
		r = watch_all(s, reterr);
	if (r < 0) {
		stop(s);
		return r;
	}
	*ret_state = s;
	return 0;
}

/* Says again what the last signal said: rules count samples, and a steady state sends none. */
static void tick(void *state, uint64_t now_ns)
{
	const struct state *s = state;
	const struct watch *w = s->c->watch;

	for (uint32_t i = 0; i < w->n_units; i++)
		if (w->units[i].status_is_known)
			emit_unit(s->c, &w->units[i], now_ns);
}

static void reload(void *state)
{
	(void)watch_all(state, NULL);
}

const struct probe_ops probe_unit_state = {
	.name = "unit_state",
	.summary = "state of managed units, by D-Bus signals",
	.source = "org.freedesktop.systemd1(5)",
	.signals = signals,
	.optional = true,
	.start = start,
	.tick = tick,
	.reload = reload,
	.stop = stop,
};
