/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/api.h"
#include "ctl/approval.h"
#include "ctl/params.h"
#include "model/action_info.h"

#define WAIT_DEFAULT_NS  (60 * NS_PER_S)
#define POLL_INTERVAL_NS (100 * NS_PER_MS)

extern const struct action_info action_table[]; /* generated */

static const struct action_info *find_action(const char *name)
{
	for (const struct action_info *a = action_table; a->name; a++)
		if (str_equal(a->name, name))
			return a;
	return NULL;
}

static int list_json(const struct ctl *ctl)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();
	struct json_object *items = json_object_new_array();

	for (const struct action_info *a = action_table; a->name; a++) {
		struct json_object *o = json_object_new_object();
		char params[256] = "";

		(void)json_add_string(o, "name", a->name);
		(void)json_add_string(o, "summary", a->summary);
		(void)json_add_string(o, "risk", risk_to_string(a->risk));
		(void)json_add_string(o, "undo", a->undo ? a->undo : "none");
		(void)json_add_bool(o, "revertible", a->undo != NULL);
		(void)json_add_string(o, "params",
				      params_synopsis(a->params, params, sizeof(params)));
		(void)json_object_array_add(items, o);
	}
	(void)json_add(root, "actions", items);
	return ctl_print_json(ctl, root);
}

static int list(const struct ctl *ctl)
{
	static const struct table_column columns[] = {
		{ "ACTION", false, false },      { "RISK", false, false },
		{ "UNDO", false, true },         { "PARAMETERS", false, true },
		{ "WHAT IT DOES", false, true },
	};
	struct table *t;

	if (ctl->json != JSON_MODE_OFF)
		return list_json(ctl);
	t = table_new(ctl, columns, ELEMENTSOF(columns));
	for (const struct action_info *a = action_table; a->name; a++) {
		char params[256] = "";

		table_row(t);
		table_cell(t, COLOUR_BOLD, "%s", a->name);
		table_cell(t, COLOUR_NONE, "%s", risk_to_string(a->risk));
		table_cell(t, COLOUR_NONE, "%s", a->undo ? a->undo : "none");
		table_cell(t, COLOUR_NONE, "%s",
			   params_synopsis(a->params, params, sizeof(params)));
		table_cell(t, COLOUR_NONE, "%s", a->summary);
	}
	table_print(t, "action");
	return CTL_OK;
}

static struct json_object *request_body(const struct params *params)
{
	struct json_object *body = json_object_new_object(), *all = json_object_new_object();

	for (uint32_t i = 0; i < params->n; i++)
		(void)json_add_string(all, params->v[i].name, params->v[i].text);
	(void)json_add(body, "params", all);
	return body;
}

static bool is_final(const char *phase)
{
	int p = attempt_phase_from_string(phase);

	return p >= 0 &&
	       (attempt_phase_is_final((enum attempt_phase)p) || p == ATTEMPT_PHASE_WAITING);
}

static int report(const struct ctl *ctl, struct json_object *attempt)
{
	const char *phase = json_text(attempt, "phase", "?");
	int code = approval_exit(attempt);
	char what[512] = "", clean[1024] = "";

	if (ctl->json != JSON_MODE_OFF) {
		(void)ctl_print_json(ctl, attempt);
		return code;
	}
	printf("%s%s%s: ", colour_on(ctl, code == CTL_OK ? COLOUR_GREEN : COLOUR_RED), phase,
	       colour_off(ctl));
	printf("%s",
	       str_escape(clean, sizeof(clean), approval_describe(attempt, what, sizeof(what))));
	printf(": %s\n", str_escape(clean, sizeof(clean), json_text(attempt, "text", "")));
	if (str_equal(phase, "waiting"))
		ctl_hint(ctl, "somebody of group 'aiops-approve' must say: aiopsctl approve %.8s",
			 json_text(attempt, "key", "?"));
	return code;
}

/* Waits for the end of the attempt and prints it. */
static int follow(const struct ctl *ctl, const char *key)
{
	uint64_t end_ns = clock_boot_ns() + (ctl->wait_ns ? ctl->wait_ns : WAIT_DEFAULT_NS);
	char path[96] = "";

	str_append(path, sizeof(path), "/v1/attempts/%s", key);
	for (;;) {
		_cleanup_json_ struct json_object *attempt = NULL;
		int r = api_call(ctl, API_ACTIONS, "GET", path, NULL, &attempt);

		if (r != CTL_OK)
			return r;
		if (is_final(json_text(attempt, "phase", "")))
			return report(ctl, attempt);
		if (clock_boot_ns() > end_ns)
			return ctl_fail(ctl, CTL_TIMEOUT, "see: aiopsctl status",
					"attempt '%s' is still %s", key,
					json_text(attempt, "phase", "?"));
		clock_sleep_ns(POLL_INTERVAL_NS);
	}
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_json_ struct json_object *body = NULL, *answer = NULL;
	const struct action_info *a;
	struct params params = { 0 };
	char path[128] = "", text[512] = "";
	int r;

	if (argc == 1)
		return list(ctl);
	a = find_action(argv[1]);
	if (!a)
		return ctl_fail(ctl, CTL_NOT_FOUND, "list them: aiopsctl do", "no action '%s'",
				argv[1]);
	r = params_from_arguments(ctl, a->params, argc - 2, argv + 2, &params);
	if (r != CTL_OK)
		return r;
	if (!ctl->dry_run) {
		r = ctl_confirm(ctl, "%s %s (%s, undo: %s)?", a->name,
				params_format(&params, text, sizeof(text)), risk_to_string(a->risk),
				a->undo ? a->undo : "none");
		if (r < 0)
			return ctl_fail(ctl, CTL_USAGE, "say --yes, or try --dry-run first",
					"nobody can be asked to confirm here");
		if (r == 0)
			return ctl_fail(ctl, CTL_FAILED, NULL, "not confirmed: nothing was done");
	}
	body = request_body(&params);
	str_append(path, sizeof(path), "/v1/actions/%s%s", a->name,
		   ctl->dry_run ? "?dry_run=1" : "");
	r = api_call(ctl, API_ACTIONS, "POST", path, body, &answer);
	return r == CTL_OK ? follow(ctl, json_text(answer, "key", "")) : r;
}

const struct verb_ops verb_do = {
	.name = "do",
	.group = "Act",
	.usage = "ACTION [NAME=VALUE...]",
	.summary = "do an action, with its checks, undo and audit",
	.help = "Without an action it lists them; a parameter in brackets may be left out.\n\n"
		"  aiopsctl do unit.restart unit=nginx.service --dry-run\n"
		"  aiopsctl do unit.set_cpu_quota unit=backup.service quota_pct=20 duration=1h",
	.options = OPT_DRY_RUN | OPT_YES | OPT_WAIT,
	.run = run,
};
