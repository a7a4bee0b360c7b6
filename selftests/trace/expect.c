/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "selftests/trace/replay.h"

static void expect_number(struct replay *x, struct json_object *o, const char *key, unsigned is)
{
	double wanted = replay_number(o, key, -1);

	if (wanted >= 0 && (unsigned)wanted != is)
		replay_complain(x, "expected %s %u, not %u", key, (unsigned)wanted, is);
}

static void expect_text(struct replay *x, struct json_object *o, const char *key, const char *is)
{
	if (json_object_object_get_ex(o, key, NULL) && !str_equal(replay_text(o, key), is))
		replay_complain(x, "expected %s '%s', not '%s'", key, replay_text(o, key), is);
}

static void expect_proposals(struct replay *x, struct json_object *list)
{
	size_t n = json_object_array_length(list);

	if (n != x->n_proposals)
		replay_complain(x, "expected %zu proposals, not %u", n, x->n_proposals);
	for (size_t i = 0; i < n && i < x->n_proposals; i++) {
		const char *wanted = json_object_get_string(json_object_array_get_idx(list, i));

		if (!str_equal(wanted, x->proposals[i]))
			replay_complain(x, "expected proposal '%s', not '%s'", wanted,
					x->proposals[i]);
	}
}

static unsigned count_told(const struct replay *x, const char *part)
{
	unsigned n = 0;

	for (unsigned i = 0; i < x->n_narratives; i++)
		n += strstr(x->narratives[i], part) != NULL;
	return n;
}

/* Each part is in exactly one narrative: told, and told once. */
static void expect_told(struct replay *x, struct json_object *list, unsigned times)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *part = json_object_get_string(json_object_array_get_idx(list, i));
		unsigned n = count_told(x, part);

		if (n != times)
			replay_complain(x, "'%s' was told %u times, not %u", part, n, times);
	}
}

static void expect_states(struct replay *x, struct json_object *list, bool there)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));
		int state = incident_state_from_string(name);

		if (state < 0 || (x->states >> (unsigned)state & 1) != there)
			replay_complain(x, "state '%s' was%s reached", name, there ? " not" : "");
	}
}

void replay_expect(struct replay *x, struct json_object *o)
{
	struct json_object *e = NULL, *list = NULL;
	const struct engine_stats *stats = engine_stats(x->engine);

	json_object_object_get_ex(o, "expect", &e);
	expect_number(x, e, "open", stats->open);
	expect_number(x, e, "incidents", x->n_incidents);
	expect_number(x, e, "resolved", x->n_resolved);
	expect_number(x, e, "reverts", x->n_reverts);
	expect_number(x, e, "queries", x->n_queries);
	expect_number(x, e, "narratives", x->n_narratives);
	expect_number(x, e, "dropped", (unsigned)stats->commands_dropped);
	expect_text(x, e, "state", incident_state_to_string(x->incident.state));
	expect_text(x, e, "cause", x->incident.cause);
	if (json_object_object_get_ex(e, "proposals", &list))
		expect_proposals(x, list);
	if (json_object_object_get_ex(e, "told", &list))
		expect_told(x, list, 1);
	if (json_object_object_get_ex(e, "not_told", &list))
		expect_told(x, list, 0);
	if (json_object_object_get_ex(e, "reached", &list))
		expect_states(x, list, true);
	if (json_object_object_get_ex(e, "not_reached", &list))
		expect_states(x, list, false);
}
