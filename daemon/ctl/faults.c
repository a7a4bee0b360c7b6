/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/faultctl.h"
#include "ctl/params.h"
#include "sys/faultunit.h"
#include "sys/unitctl.h"

#define KEY_SHORT 8 /* characters of a key that tables show */

static struct json_object *type_json(const struct fault_info *f)
{
	struct json_object *o = json_object_new_object(), *actions = json_object_new_array();
	char synopsis[512] = "";

	for (const char *const *a = f->expects.actions; a && *a; a++)
		(void)json_object_array_add(actions, json_object_new_string(*a));
	(void)json_add_string(o, "name", f->name);
	(void)json_add_string(o, "summary", f->summary);
	(void)json_add_string(o, "params", params_synopsis(f->params, synopsis, sizeof(synopsis)));
	(void)json_add_string(o, "reverts", reverts_to_string(f->reverts));
	(void)json_add_string(o, "expected_cause", f->expects.cause);
	(void)json_add(o, "expected_actions", actions);
	return o;
}

static int types(const struct ctl *ctl)
{
	static const struct table_column columns[] = {
		{ "FAULT", false, false },          { "ENDED BY", false, false },
		{ "EXPECTED CAUSE", false, false }, { "PARAMETERS", false, true },
		{ "WHAT IT DOES", false, true },
	};
	_cleanup_json_ struct json_object *root = json_object_new_object();
	struct json_object *items = json_object_new_array();
	struct table *t;

	(void)json_add(root, "types", items);
	if (ctl->json != JSON_MODE_OFF) {
		for (const struct fault_info *f = fault_table; f->name; f++)
			(void)json_object_array_add(items, type_json(f));
		return ctl_print_json(ctl, root);
	}
	t = table_new(ctl, columns, ELEMENTSOF(columns));
	for (const struct fault_info *f = fault_table; f->name; f++) {
		char synopsis[512] = "";

		table_row(t);
		table_cell(t, COLOUR_BOLD, "%s", f->name);
		table_cell(t, COLOUR_NONE, "%s", reverts_to_string(f->reverts));
		table_cell(t, COLOUR_NONE, "%s", f->expects.cause);
		table_cell(t, COLOUR_NONE, "%s",
			   params_synopsis(f->params, synopsis, sizeof(synopsis)));
		table_cell(t, COLOUR_NONE, "%s", f->summary);
	}
	table_print(t, "fault type");
	return CTL_OK;
}

static void print_row(struct table *t, const struct fault_status *s)
{
	uint64_t now_ns = clock_boot_ns();
	bool final = fault_state_is_final(s->state);
	char span[CLOCK_SPAN_MAX] = "-";

	if (!final && s->deadline_ns > now_ns)
		(void)clock_format_span(s->deadline_ns - now_ns, span);
	table_row(t);
	table_cell(t, COLOUR_BLUE, "%.*s", KEY_SHORT, s->key);
	table_cell(t, COLOUR_BOLD, "%s", s->fault);
	table_cell(t, s->state == FAULT_STATE_STUCK ? COLOUR_RED : COLOUR_NONE, "%s",
		   fault_state_to_string(s->state));
	table_cell(t, COLOUR_YELLOW, "%s", span);
	table_cell(t, COLOUR_NONE, "%s", s->params);
	table_cell(t, COLOUR_NONE, "%s", s->text);
}

static int list(const struct ctl *ctl)
{
	static const struct table_column columns[] = {
		{ "KEY", false, false }, { "FAULT", false, false },     { "STATE", false, false },
		{ "LEFT", true, false }, { "PARAMETERS", false, true }, { "WHAT", false, true },
	};
	_cleanup_json_ struct json_object *root = json_object_new_object();
	_cleanup_free_ struct fault_status *all = NULL;
	struct json_object *items = json_object_new_array();
	struct err err = { 0 };
	ssize_t n = faultctl_list(ctl->all, &all, &err);
	struct table *t;

	(void)json_add(root, "faults", items);
	if (n < 0)
		return ctl_fail_err(ctl, faultctl_exit((int)n), NULL, &err);
	if (ctl->json != JSON_MODE_OFF) {
		for (ssize_t i = 0; i < n; i++) {
			struct json_object *o = NULL;

			if (fault_status_to_json(&all[i], &o) == 0)
				(void)json_object_array_add(items, o);
		}
		return ctl_print_json(ctl, root);
	}
	t = table_new(ctl, columns, ELEMENTSOF(columns));
	for (ssize_t i = 0; i < n; i++)
		print_row(t, &all[i]);
	table_print(t, "fault");
	return CTL_OK;
}

static int report(const struct ctl *ctl, const struct fault_status *s)
{
	_cleanup_json_ struct json_object *o = NULL;
	char line[1024] = "";

	if (ctl->json != JSON_MODE_OFF)
		return fault_status_to_json(s, &o) < 0 ? CTL_FAILED : ctl_print_json(ctl, o);
	printf("%.*s  %s\n", KEY_SHORT, s->key, faultctl_describe(s, line, sizeof(line)));
	if (s->text[0])
		printf("          %s\n", s->text);
	return CTL_OK;
}

static int inject(const struct ctl *ctl, int argc, char **argv)
{
	struct fault_status status = { 0 };
	struct fault_wish wish = { 0 };
	char params[512] = "";
	int r = faultctl_prepare(ctl, argc, argv, &wish);

	if (r != CTL_OK)
		return r;
	r = ctl_confirm(ctl, "Break this host on purpose for %s: %s %s?", ctl->for_text,
			wish.info->name, params_format(&wish.params, params, sizeof(params)));
	if (r < 0)
		return ctl_fail(ctl, CTL_USAGE, "say --yes", "nobody can be asked to confirm here");
	if (r == 0)
		return ctl_fail(ctl, CTL_FAILED, NULL, "not confirmed: nothing was done");
	r = faultctl_inject(ctl, &wish, &status);
	if (r != CTL_OK)
		return r;
	r = report(ctl, &status);
	ctl_hint(ctl, "end it early: aiopsctl faults recover %.*s", KEY_SHORT, status.key);
	return r;
}

static int recover_all(const struct ctl *ctl, void *bus, int dir_fd)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct err err = { 0 };
	int r = fault_unit_recover_all(bus, dir_fd, &err);

	if (r < 0)
		return ctl_fail_err(ctl, faultctl_exit(r), NULL, &err);
	(void)json_add_i64(o, "recovered_count", r);
	if (ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, o);
	printf("%d fault%s ended.\n", r, r == 1 ? "" : "s");
	return CTL_OK;
}

static int recover_one(const struct ctl *ctl, void *bus, int dir_fd, const char *key)
{
	struct fault_status status = { 0 };
	struct err err = { 0 };
	int r = fault_unit_recover(bus, dir_fd, key, &status, &err);

	return r < 0 ? ctl_fail_err(ctl, faultctl_exit(r), "list them: aiopsctl faults list --all",
				    &err) :
		       report(ctl, &status);
}

static int recover(const struct ctl *ctl, int argc, char **argv)
{
	struct err err = { 0 };
	_cleanup_close_ int dir_fd = fault_unit_open_dir(&err);
	void *bus = NULL;
	int r;

	if (argc != (ctl->all ? 0 : 1))
		return ctl_fail(ctl, CTL_USAGE, NULL, "faults recover: give a KEY, or --all");
	r = dir_fd < 0 ? dir_fd : unitctl_open(&bus, &err);
	if (r < 0)
		return ctl_fail_err(ctl, faultctl_exit(r), r == -EACCES ? "this needs root" : NULL,
				    &err);
	r = ctl->all ? recover_all(ctl, bus, dir_fd) : recover_one(ctl, bus, dir_fd, argv[0]);
	unitctl_close(bus);
	return r;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "list";

	if (str_equal(what, "list") && argc <= 2)
		return list(ctl);
	if (str_equal(what, "types") && argc == 2)
		return types(ctl);
	if (str_equal(what, "inject"))
		return inject(ctl, argc - 2, argv + 2);
	if (str_equal(what, "recover"))
		return recover(ctl, argc - 2, argv + 2);
	return ctl_fail(ctl, CTL_USAGE, "try: aiopsctl faults help",
			"faults: 'types', 'list', 'inject FAULT NAME=VALUE... --for=SPAN' or "
			"'recover KEY|--all'");
}

const struct verb_ops verb_faults = {
	.name = "faults",
	.group = "Break on purpose",
	.usage = "[types|list|inject|recover]",
	.summary = "break something, safely and for a while",
	.help = "Every fault ends by itself: systemd owns its end even if all else is dead. Ending one\n"
		"early needs none of our daemons.\n\n"
		"  aiopsctl faults inject net.delay unit=shop.service delay_ms=400 --for=60s\n"
		"  aiopsctl faults recover --all",
	.options = OPT_YES | OPT_FOR | OPT_ID | OPT_ALL,
	.run = run,
};
