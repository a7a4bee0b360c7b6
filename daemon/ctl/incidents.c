/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/api.h"
#include "ctl/story.h"

#define WATCH_INTERVAL_MS 500

static enum colour colour_of_state(const char *state)
{
	if (str_equal(state, "resolved") || str_equal(state, "cleared"))
		return COLOUR_GREEN;
	return str_equal(state, "escalated") ? COLOUR_RED : COLOUR_YELLOW;
}

/* History first: it knows them all. The agent's memory where the recorder is down. */
static int fetch_list(const struct ctl *ctl, struct json_object **ret)
{
	char path[512] = "/v1/incidents?";
	struct err err = { 0 };

	str_append(path, sizeof(path), "limit=%u", ctl->rows_max ? ctl->rows_max : 50);
	if (ctl->since_usec)
		str_append(path, sizeof(path), "&since_usec=%" PRIu64, ctl->since_usec);
	if (ctl->unit)
		str_append(path, sizeof(path), "&unit=%s", ctl->unit);
	if (ctl->state)
		str_append(path, sizeof(path), "&state=%s", ctl->state);
	if (api_try(ctl, API_HISTORY, "/healthz", ret, &err) < 0)
		return api_call(ctl, API_CONTROL, "GET", path, NULL, ret);
	(void)json_object_put(TAKE_PTR(*ret));
	return api_call(ctl, API_HISTORY, "GET", path, NULL, ret);
}

static void print_row(struct table *t, struct json_object *record)
{
	struct json_object *i = json_member(record, "incident");
	const char *id = json_text(record, "incident_id", "?");
	const char *state = json_text(i, "state", "?");
	size_t n = strlen(id);
	char ago[AGO_MAX] = "";

	table_row(t);
	table_cell(t, COLOUR_BLUE, "%s", id + (n > RECORD_ID_SHORT ? n - RECORD_ID_SHORT : 0));
	table_cell(t, COLOUR_NONE, "%s", format_ago((uint64_t)json_int(i, "opened_usec"), ago));
	table_cell(t, colour_of_state(state), "%s", state);
	table_cell(t, COLOUR_NONE, "%s", json_text(i, "cause", ""));
	table_cell(t, COLOUR_NONE, "%s", json_text(i, "title", ""));
}

static int list(const struct ctl *ctl)
{
	static const struct table_column columns[] = {
		{ "ID", false, false },    { "OPENED", false, false }, { "STATE", false, false },
		{ "CAUSE", false, false }, { "WHAT", false, true },
	};
	_cleanup_json_ struct json_object *answer = NULL;
	struct json_object *items;
	struct table *t;
	int r = fetch_list(ctl, &answer);

	if (r != CTL_OK)
		return r;
	if (ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, answer);
	t = table_new(ctl, columns, ELEMENTSOF(columns));
	items = json_items(answer, "incidents");
	for (size_t i = 0; items && i < json_object_array_length(items); i++)
		print_row(t, json_object_array_get_idx(items, i));
	table_print(t, "incident");
	return CTL_OK;
}

static int show(const struct ctl *ctl, const char *id)
{
	_cleanup_json_ struct json_object *answer = NULL;
	int r = story_fetch(ctl, "/v1/incidents/", id, &answer);

	if (r != CTL_OK)
		return r;
	if (ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, answer);
	story_print_incident(ctl, answer);
	return CTL_OK;
}

/* Prints the table again whenever it changed, until interrupted. */
static int watch(const struct ctl *ctl)
{
	_cleanup_json_ struct json_object *before = NULL;

	for (;;) {
		_cleanup_json_ struct json_object *now = NULL;

		int r = fetch_list(ctl, &now);

		if (r != CTL_OK)
			return r;
		if (!before || !json_object_equal(before, now)) {
			if (ctl->tty && ctl->json == JSON_MODE_OFF)
				fputs("\033[H\033[2J", stdout);
			r = list(ctl);
			(void)fflush(stdout);
			(void)json_object_put(before);
			before = TAKE_PTR(now);
		}
		if (r != CTL_OK)
			return r;
		clock_sleep_ns(WATCH_INTERVAL_MS * NS_PER_MS);
	}
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "list";

	if (ctl->state && incident_state_from_string(ctl->state) < 0)
		return ctl_fail(
			ctl, CTL_USAGE,
			"open, diagnosed, waiting, acting, verifying, reverting, escalated, "
			"resolved, cleared",
			"no state of an incident is called '%s'", ctl->state);
	if (str_equal(what, "list") && argc <= 2)
		return list(ctl);
	if (str_equal(what, "show") && argc == 3)
		return show(ctl, argv[2]);
	if (str_equal(what, "watch") && argc == 2)
		return watch(ctl);
	return ctl_fail(ctl, CTL_USAGE, "try: aiopsctl incidents help",
			"incidents: 'list', 'show ID' or 'watch'");
}

const struct verb_ops verb_incidents = {
	.name = "incidents",
	.group = "See",
	.usage = "[list|show ID|watch]",
	.summary = "what happened, and how it ended",
	.help = "An id may be any unique ending of at least four characters.\n\n"
		"  aiopsctl incidents --since=2h --state=escalated\n"
		"  aiopsctl incidents show 7q2m4x",
	.options = OPT_SINCE | OPT_UNIT | OPT_STATE | OPT_LIMIT,
	.run = run,
};
