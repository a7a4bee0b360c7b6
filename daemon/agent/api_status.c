/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "agent/api.h"
#include "base/log.h"
#include "sys/watch.h"

int api_append(struct json_object *array, struct json_object **one)
{
	struct json_object *taken = TAKE_PTR(*one);

	if (taken && json_object_array_add(array, taken) == 0)
		return 0;
	(void)json_object_put(taken);
	return -ENOMEM;
}

static int add_engine(const struct agent *a, struct json_object *o)
{
	const struct engine_stats *s = engine_stats(a->engine);
	struct json_object *e = json_object_new_object();

	if (!e || json_add(o, "engine", e) < 0)
		return -ENOMEM;
	if (json_add_u64(e, "open_count", s->open) < 0 ||
	    json_add_u64(e, "waiting_count", s->waiting) < 0 ||
	    json_add_u64(e, "escalated_count", s->escalated) < 0 ||
	    json_add_u64(e, "incidents_count", s->incidents) < 0 ||
	    json_add_u64(e, "events_count", s->events) < 0 ||
	    json_add_u64(e, "samples_count", s->samples) < 0 ||
	    json_add_u64(e, "commands_dropped_count", s->commands_dropped) < 0 ||
	    json_add_u64(e, "overflow_count", s->overflow) < 0)
		return -ENOMEM;
	return 0;
}

static int add_probes(const struct agent *a, struct json_object *o)
{
	struct json_object *array = json_object_new_array();

	if (!array || json_add(o, "probes", array) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_probes; i++) {
		const struct agent_probe *p = &a->probes[i];
		_cleanup_json_ struct json_object *one = json_object_new_object();
		uint64_t dropped = p->state && p->ops->dropped ? p->ops->dropped(p->state) : 0;

		if (!one || json_add_string(one, "name", p->ops->name) < 0 ||
		    json_add_string(one, "summary", p->ops->summary) < 0 ||
		    json_add_bool(one, "running", p->state != NULL) < 0 ||
		    json_add_string(one, "error", p->error) < 0 ||
		    json_add_u64(one, "dropped_count", dropped) < 0 ||
		    json_add_double(one, "cost_pct", p->state ? p->cost_pct : 0) < 0 ||
		    api_append(array, &one) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_peer(struct json_object *array, const char *name, const struct peer *p)
{
	_cleanup_json_ struct json_object *one = json_object_new_object();

	if (!one || json_add_string(one, "name", name) < 0 ||
	    json_add_bool(one, "up", peer_is_up(p)) < 0 ||
	    json_add_u64(one, "dropped_count", peer_dropped(p)) < 0)
		return -ENOMEM;
	return api_append(array, &one);
}

static int add_peers(const struct agent *a, struct json_object *o)
{
	struct json_object *array = json_object_new_array();

	if (!array || json_add(o, "peers", array) < 0 ||
	    add_peer(array, "executor", a->executor) < 0 ||
	    add_peer(array, "recorder", a->recorder) < 0 ||
	    add_peer(array, "gateway", a->gateway) < 0)
		return -ENOMEM;
	return 0;
}

static int add_units(const struct agent *a, struct json_object *o)
{
	struct json_object *array = json_object_new_array();

	if (!array || json_add(o, "units", array) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->watch->n_units; i++) {
		const struct watch_unit *u = &a->watch->units[i];
		_cleanup_json_ struct json_object *one = json_object_new_object();

		if (!one || json_add_string(one, "name", u->name) < 0 ||
		    json_add_bool(one, "known", u->status_is_known) < 0 ||
		    json_add_string(one, "active_state",
				    u->status_is_known ? u->status.active_state : "") < 0 ||
		    json_add_string(one, "sub_state",
				    u->status_is_known ? u->status.sub_state : "") < 0 ||
		    json_add_bool(one, "has_cgroup", u->cgroup_fd >= 0) < 0 ||
		    api_append(array, &one) < 0)
			return -ENOMEM;
	}
	return 0;
}

static double to_ms(uint64_t ns)
{
	return (double)ns / (double)NS_PER_MS;
}

static int add_loop(const struct agent *a, struct json_object *o)
{
	struct json_object *l = json_object_new_object();

	if (!l || json_add(o, "loop", l) < 0 ||
	    json_add_u64(l, "turns_count", a->stall.turns) < 0 ||
	    json_add_double(l, "stall_max_ms", to_ms(a->stall.max_ns)) < 0 ||
	    json_add_double(l, "stall_this_minute_max_ms", to_ms(a->stall.minute_max_ns)) < 0 ||
	    json_add_double(l, "stall_last_minute_max_ms", to_ms(a->stall.last_minute_max_ns)) < 0)
		return -ENOMEM;
	return 0;
}

static int add_losses(const struct agent *a, struct json_object *o)
{
	struct json_object *l = json_object_new_object();

	if (!l || json_add(o, "lost", l) < 0 ||
	    json_add_u64(l, "records_count", a->ring.n_lost) < 0 ||
	    json_add_u64(l, "records_waiting_count", a->ring.n_added - a->ring.n_sent) < 0 ||
	    json_add_u64(l, "log_messages_count", log_dropped()) < 0 ||
	    json_add_u64(l, "series_refused_count", a->rollups.n_refused) < 0 ||
	    json_add_u64(l, "frames_refused_count", a->n_refused_frames) < 0)
		return -ENOMEM;
	return 0;
}

static int add_config(const struct agent *a, struct json_object *o)
{
	struct json_object *c = json_object_new_object();

	if (!c || json_add(o, "config", c) < 0 ||
	    json_add_u64(c, "services_count", a->config.services.n) < 0 ||
	    json_add_u64(c, "alerts_count", a->config.alerts.n) < 0 ||
	    json_add_u64(c, "runbooks_count", a->config.runbooks.n) < 0 ||
	    json_add_string(c, "error", a->config_error) < 0)
		return -ENOMEM;
	return 0;
}

int api_add_status(const struct agent *a, struct json_object *o)
{
	if (json_add_string(o, "version", AIOPS_VERSION) < 0 ||
	    json_add_time(o, "started", a->started_us) < 0 ||
	    json_add_string(o, "status", a->status) < 0 ||
	    json_add_bool(o, "bus_up", a->watch->bus != NULL) < 0)
		return -ENOMEM;
	if (add_engine(a, o) < 0 || add_probes(a, o) < 0 || add_peers(a, o) < 0 ||
	    add_units(a, o) < 0 || add_config(a, o) < 0 || add_loop(a, o) < 0 ||
	    add_losses(a, o) < 0)
		return -ENOMEM;
	return 0;
}
