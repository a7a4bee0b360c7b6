/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/paths.h"
#include "base/str.h"
#include "ctl/api.h"
#include "ctl/approval.h"
#include "ctl/faultctl.h"
#include "model/record.h"

#define ROWS_MAX 5

/* Everything the screen needs; what could not be asked is NULL. */
struct view {
	struct json_object *agent, *incidents, *executor, *approvals, *history;
	struct fault_status *faults;
	ssize_t n_faults;
	struct err agent_err;
};

static void fetch(const struct ctl *ctl, struct view *v)
{
	(void)api_try(ctl, API_CONTROL, "/v1/status", &v->agent, &v->agent_err);
	(void)api_try(ctl, API_CONTROL, "/v1/incidents", &v->incidents, NULL);
	(void)api_try(ctl, API_APPROVE, "/v1/status", &v->executor, NULL);
	(void)api_try(ctl, API_ACTIONS, "/v1/approvals", &v->approvals, NULL);
	(void)api_try(ctl, API_HISTORY, "/healthz", &v->history, NULL);
	v->n_faults = faultctl_list(false, &v->faults, NULL);
}

static void release(struct view *v)
{
	(void)json_object_put(v->agent);
	(void)json_object_put(v->incidents);
	(void)json_object_put(v->executor);
	(void)json_object_put(v->approvals);
	(void)json_object_put(v->history);
	free(v->faults);
}

static bool is_open(struct json_object *incident)
{
	int s = incident_state_from_string(json_text(incident, "state", ""));

	return s >= 0 && incident_state_is_open((enum incident_state)s);
}

static enum colour dot_colour(const struct view *v)
{
	struct json_object *e = json_member(v->agent, "engine");

	if (!v->agent || json_int(e, "escalated_count") > 0)
		return COLOUR_RED;
	return json_int(e, "open_count") > 0 || !v->executor || !v->history ? COLOUR_YELLOW :
									      COLOUR_GREEN;
}

static void print_head(const struct ctl *ctl, const struct view *v)
{
	char ago[AGO_MAX] = "";

	printf("%s●%s aiops %s - %s\n", colour_on(ctl, dot_colour(v)), colour_off(ctl),
	       AIOPS_VERSION,
	       v->agent ? json_text(v->agent, "status", "") : "the agent is not running");
	if (!v->agent)
		return;
	printf("%12s: %s\n", "Since",
	       format_ago((uint64_t)json_int(v->agent, "started_usec"), ago));
}

static void print_mode(const struct ctl *ctl, const struct view *v)
{
	bool paused = json_object_get_boolean(json_member(v->executor, "paused"));

	if (!v->executor) {
		printf("%12s: %snot running%s: nothing can be done\n", "Executor",
		       colour_on(ctl, COLOUR_RED), colour_off(ctl));
		return;
	}
	printf("%12s: %s%s\n", "Mode", json_text(v->executor, "mode", "?"),
	       paused ? " (paused: aiopsctl resume)" : "");
	if (json_text(json_member(v->executor, "policy"), "error", "")[0])
		printf("%12s: %s%s%s\n", "Policy", colour_on(ctl, COLOUR_RED),
		       json_text(json_member(v->executor, "policy"), "error", ""), colour_off(ctl));
}

static void print_managed(const struct ctl *ctl, const struct view *v)
{
	struct json_object *units = json_items(v->agent, "units");
	size_t n = units ? json_object_array_length(units) : 0;

	if (n == 0 && v->agent)
		printf("%12s: nothing yet; describe a service in /etc/aiops/services.d\n",
		       "Managed");
	for (size_t i = 0; i < n; i++) {
		struct json_object *u = json_object_array_get_idx(units, i);
		const char *active = json_text(u, "active_state", "");
		bool good = str_equal(active, "active");

		printf("%12s%s %s %s%s%s\n", i ? "" : "Managed", i ? " " : ":",
		       json_text(u, "name", "?"), colour_on(ctl, good ? COLOUR_GREEN : COLOUR_RED),
		       active[0] ? active : "unknown", colour_off(ctl));
	}
}

static void print_probes(const struct ctl *ctl, const struct view *v)
{
	struct json_object *probes = json_items(v->agent, "probes");
	struct json_object *loop = json_member(v->agent, "loop");
	size_t n = probes ? json_object_array_length(probes) : 0, running = 0;
	uint64_t dropped = 0;

	if (!v->agent)
		return;
	for (size_t i = 0; i < n; i++) {
		struct json_object *p = json_object_array_get_idx(probes, i);

		running += json_object_get_boolean(json_member(p, "running")) ? 1 : 0;
		dropped += (uint64_t)json_int(p, "dropped_count");
	}
	printf("%12s: %s%zu of %zu%s, %" PRIu64 " events dropped, longest stall %.1f ms\n",
	       "Probes", colour_on(ctl, running == n ? COLOUR_NONE : COLOUR_YELLOW), running, n,
	       colour_off(ctl), dropped, json_number(loop, "stall_max_ms"));
	printf("%12s: %s\n", "History",
	       !v->history ? "the recorder is not running" :
	       str_equal(json_text(v->history, "status", ""), "ok") ? "ok" :
								      "degraded");
}

static void print_incidents(const struct ctl *ctl, const struct view *v)
{
	struct json_object *all = json_items(v->incidents, "incidents");
	size_t n = all ? json_object_array_length(all) : 0, shown = 0;

	for (size_t i = 0; i < n && shown < ROWS_MAX; i++) {
		struct json_object *record = json_object_array_get_idx(all, i);
		struct json_object *o = json_member(record, "incident");
		const char *id = json_text(record, "incident_id", "");
		size_t length = strlen(id);
		char ago[AGO_MAX] = "", clean[512] = "";

		if (!is_open(o))
			continue;
		if (shown++ == 0)
			printf("\n%sOpen incidents%s\n", colour_on(ctl, COLOUR_BOLD),
			       colour_off(ctl));
		printf("  %s%s%s  %-10s %s (%s)\n", colour_on(ctl, COLOUR_BLUE),
		       id + (length > RECORD_ID_SHORT ? length - RECORD_ID_SHORT : 0),
		       colour_off(ctl), json_text(o, "state", "?"),
		       str_escape(clean, sizeof(clean), json_text(o, "title", "")),
		       format_ago((uint64_t)json_int(o, "opened_usec"), ago));
	}
}

static void print_approvals(const struct ctl *ctl, const struct view *v)
{
	struct json_object *all = json_items(v->approvals, "approvals");
	size_t n = all ? json_object_array_length(all) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(all, i);
		char what[512] = "", clean[1024] = "";

		if (i == 0)
			printf("\n%sWaiting for you%s\n", colour_on(ctl, COLOUR_BOLD),
			       colour_off(ctl));
		printf("  %s\n      aiopsctl approve %.8s\n",
		       str_escape(clean, sizeof(clean), approval_describe(o, what, sizeof(what))),
		       json_text(o, "key", "?"));
	}
}

static void print_faults(const struct ctl *ctl, const struct view *v)
{
	for (ssize_t i = 0; i < v->n_faults; i++) {
		char line[256] = "";

		if (i == 0)
			printf("\n%sFaults injected on purpose%s\n", colour_on(ctl, COLOUR_BOLD),
			       colour_off(ctl));
		printf("  %s\n", faultctl_describe(&v->faults[i], line, sizeof(line)));
	}
}

static int print_json(const struct ctl *ctl, struct view *v)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();

	(void)json_add(root, "agent", TAKE_PTR(v->agent));
	(void)json_add(root, "executor", TAKE_PTR(v->executor));
	(void)json_add(root, "recorder", TAKE_PTR(v->history));
	(void)json_add(root, "incidents", json_object_get(json_items(v->incidents, "incidents")));
	(void)json_add(root, "approvals", json_object_get(json_items(v->approvals, "approvals")));
	return ctl_print_json(ctl, root);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	struct view v = { 0 };
	int code = CTL_OK;

	(void)argv;
	if (argc > 1)
		return ctl_fail(ctl, CTL_USAGE, NULL, "status takes no argument");
	fetch(ctl, &v);
	if (!v.agent) {
		code = v.agent_err.code == -EACCES ?
			       ctl_fail_err(ctl, CTL_REFUSED,
					    "use root, or become a member of group 'aiops'",
					    &v.agent_err) :
			       ctl_fail(ctl, CTL_NO_DAEMON,
					"start it: systemctl enable --now aiops-agent",
					"aiops-agent is not running: %s", err_text(&v.agent_err));
	} else if (ctl->json != JSON_MODE_OFF) {
		code = print_json(ctl, &v);
	} else {
		print_head(ctl, &v);
		print_mode(ctl, &v);
		print_managed(ctl, &v);
		print_probes(ctl, &v);
		print_incidents(ctl, &v);
		print_approvals(ctl, &v);
		print_faults(ctl, &v);
	}
	release(&v);
	return code;
}

const struct verb_ops verb_status = {
	.name = "status",
	.group = "See",
	.usage = "",
	.summary = "what is the matter now (also without a command)",
	.help = "Green: all is well. Yellow: something is being looked after, or a part is missing.\n"
		"Red: a person must look.",
	.run = run,
};
