/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/alert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/confdir.h"
#include "base/fd.h"
#include "base/str.h"
#include "ctl/tally.h"
#include "engine/engine.h"
#include "ops/rule.h"

/* Generated: what the agent beside this program can measure. */
extern const struct signal_spec agent_signals[];
extern const char *const agent_rules[];

/* One verb's way through the installed files. */
struct walk {
	const struct ctl *ctl;
	int argc;
	char **argv; /* the alerts that are wanted; none: all */
	uint32_t n;  /* found */
	struct tally tally;
	struct table *table;
	struct json_object *items;
};

static struct json_object *alert_json(const struct alert *a, const char *path)
{
	struct json_object *o = json_object_new_object();

	(void)json_add_string(o, "id", a->id);
	(void)json_add_string(o, "severity", severity_to_string(a->severity));
	(void)json_add_string(o, "signal", a->signal);
	(void)json_add_string(o, "rule", a->rule);
	(void)json_add_string(o, "summary", a->summary);
	(void)json_add_string(o, "reason", a->reason);
	(void)json_add_string(o, "source", a->source);
	(void)json_add_string(o, "path", path);
	return o;
}

static bool is_wanted(const struct walk *w, const char *id)
{
	for (int i = 0; i < w->argc; i++)
		if (str_equal(w->argv[i], id))
			return true;
	return w->argc == 0;
}

static void list_one(struct walk *w, const struct alert *a, const char *path)
{
	if (!w->table) {
		(void)json_object_array_add(w->items, alert_json(a, path));
		return;
	}
	table_row(w->table);
	table_cell(w->table, COLOUR_BOLD, "%s", a->id);
	table_cell(w->table, COLOUR_NONE, "%s", severity_to_string(a->severity));
	table_cell(w->table, COLOUR_NONE, "%s", a->rule);
	table_cell(w->table, COLOUR_NONE, "%s", a->signal);
	table_cell(w->table, COLOUR_NONE, "%s", a->summary);
}

static int list_file(const struct confdir_file *file, const char *text, size_t length,
		     void *userdata, struct err *reterr)
{
	struct alert a = { 0 };
	int r = alert_parse(file->path, text, length, &a, reterr);

	if (r == 0)
		list_one(userdata, &a, file->path);
	return r;
}

static int list(const struct ctl *ctl, int root_fd)
{
	static const struct table_column columns[] = {
		{ "ID", false, false },     { "SEVERITY", false, false }, { "RULE", false, false },
		{ "SIGNAL", false, false }, { "SUMMARY", false, true },
	};
	_cleanup_json_ struct json_object *root = json_object_new_object();
	struct walk w = { .ctl = ctl, .items = json_object_new_array() };
	struct err err = { 0 };
	int r;

	(void)json_add(root, "alerts", w.items);
	if (ctl->json == JSON_MODE_OFF)
		w.table = table_new(ctl, columns, ELEMENTSOF(columns));
	r = confdir_load(root_fd, &alert_files, list_file, &w, &err);
	if (w.table)
		table_print(w.table, "alert");
	if (r < 0)
		return ctl_fail_err(ctl, CTL_FAILED, NULL, &err);
	return w.table ? CTL_OK : ctl_print_json(ctl, root);
}

static void print_span(const char *what, uint64_t span_ns)
{
	char text[CLOCK_SPAN_MAX];

	if (span_ns > 0)
		printf("%s %s\n", what, clock_format_span(span_ns, text));
}

static void show_one(const struct ctl *ctl, const struct alert *a, const char *path)
{
	const struct rule_ops *rule = rule_find(a->rule);
	char number[STR_NUMBER_MAX];

	printf("%s%s%s (%s)\n%s\n\n%s\n", colour_on(ctl, COLOUR_BOLD), a->id, colour_off(ctl),
	       severity_to_string(a->severity), path, a->summary);
	printf("  %s of %s: %s\n", a->rule, a->signal, rule ? rule->summary : "no such rule");
	printf("  %s %s\n", a->below ? "below" : "above",
	       a->bound == ALERT_BOUND_SERVICE_SLOW_MS ? "the endpoint's slow_ms" :
							 str_number(a->threshold, number));
	print_span("  over", a->over_ns);
	print_span("  within", a->within_ns);
	printf("\n%s\nSource: %s\n", a->reason, a->source);
}

static int show_file(const struct confdir_file *file, const char *text, size_t length,
		     void *userdata, struct err *reterr)
{
	struct walk *w = userdata;
	struct alert a = { 0 };
	char stem[sizeof(file->name)];

	if (!is_wanted(w, confdir_stem(file, stem, sizeof(stem))))
		return 0;
	if (alert_parse(file->path, text, length, &a, reterr) < 0)
		return -EINVAL;
	w->n++;
	if (w->ctl->json == JSON_MODE_OFF)
		show_one(w->ctl, &a, file->path);
	else
		w->items = alert_json(&a, file->path);
	return 0;
}

static int show(const struct ctl *ctl, int root_fd, char **argv)
{
	struct walk w = { .ctl = ctl, .argc = 1, .argv = argv };
	struct err err = { 0 };
	int r = confdir_load(root_fd, &alert_files, show_file, &w, &err);
	_cleanup_json_ struct json_object *o = w.items;

	if (r < 0)
		return ctl_fail_err(ctl, CTL_FAILED, NULL, &err);
	if (w.n == 0)
		return ctl_fail(ctl, CTL_NOT_FOUND, "list them: aiopsctl alerts", "no alert '%s'",
				argv[0]);
	return o ? ctl_print_json(ctl, o) : CTL_OK;
}

static void test_text(const struct ctl *ctl, struct tally *t, const char *path, const char *text,
		      size_t length)
{
	_cleanup_free_ struct alert_tests *tests = calloc(1, sizeof(*tests));
	struct alert a = { 0 };
	struct err err = { 0 };
	char name[256];
	int r = tests ? alert_parse(path, text, length, &a, &err) : -ENOMEM;

	if (r == 0)
		r = alert_lint(&a, agent_signals, agent_rules, &err);
	if (r == 0)
		r = alert_tests_parse(path, text, length, tests, &err);
	if (r < 0) {
		tally_add(ctl, t, path, r, &err);
		return;
	}
	for (uint32_t i = 0; i < tests->n; i++) {
		err = (struct err){ 0 };
		r = engine_test_alert(&a, &tests->v[i], &err);
		(void)snprintf(name, sizeof(name), "%s: %s", a.id, tests->v[i].name);
		tally_add(ctl, t, name, r, &err);
	}
}

static int test_file(const struct confdir_file *file, const char *text, size_t length,
		     void *userdata, struct err *reterr)
{
	struct walk *w = userdata;
	char stem[sizeof(file->name)];

	(void)reterr;
	if (is_wanted(w, confdir_stem(file, stem, sizeof(stem)))) {
		w->n++;
		test_text(w->ctl, &w->tally, file->path, text, length);
	}
	return 0;
}

/* A file that is not installed: as it is being written. */
static void test_path(const struct ctl *ctl, struct tally *t, const char *path)
{
	_cleanup_free_ char *text = malloc(YAML_TEXT_MAX);
	ssize_t size = text ? fd_read_file(AT_FDCWD, path, text, YAML_TEXT_MAX) : -ENOMEM;
	struct err err = { 0 };

	if (size < 0) {
		(void)err_set(&err, (int)size, "read '%s': %s", path, strerror((int)-size));
		tally_add(ctl, t, path, (int)size, &err);
	} else {
		test_text(ctl, t, path, text, (size_t)size);
	}
}

static int test(const struct ctl *ctl, int root_fd, int argc, char **argv)
{
	struct walk w = { .ctl = ctl };
	struct err err = { 0 };
	int r = 0;

	if (argc == 0)
		r = confdir_load(root_fd, &alert_files, test_file, &w, &err);
	for (int i = 0; r >= 0 && i < argc; i++) {
		uint32_t n = w.n;

		if (strchr(argv[i], '/')) {
			test_path(ctl, &w.tally, argv[i]);
			continue;
		}
		w.argc = 1;
		w.argv = &argv[i];
		r = confdir_load(root_fd, &alert_files, test_file, &w, &err);
		if (r >= 0 && w.n == n)
			return ctl_fail(ctl, CTL_NOT_FOUND, "list them: aiopsctl alerts",
					"no alert '%s'", argv[i]);
	}
	if (r < 0)
		return ctl_fail_err(ctl, CTL_FAILED, NULL, &err);
	return tally_finish(ctl, &w.tally);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "list";
	struct err err = { 0 };
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, ctl->root, &err);

	if (root_fd < 0)
		return ctl_fail_err(ctl, CTL_FAILED, NULL, &err);
	if (str_equal(what, "list") && argc <= 2)
		return list(ctl, root_fd);
	if (str_equal(what, "show") && argc == 3)
		return show(ctl, root_fd, argv + 2);
	if (str_equal(what, "test"))
		return test(ctl, root_fd, argc - 2, argv + 2);
	return ctl_fail(ctl, CTL_USAGE, "try: aiopsctl alerts help",
			"alerts: 'list', 'show NAME' or 'test [NAME|FILE...]'");
}

const struct verb_ops verb_alerts = {
	.name = "alerts",
	.group = "Configure",
	.usage = "[list|show|test] [NAME|FILE...]",
	.summary = "what the agent takes for wrong, and why; try it",
	.help = "test feeds the values of an alert's own tests through the real detection and\n"
		"compares when it fires and clears; a FILE with a slash need not be installed.\n"
		"It needs no root and no daemon.",
	.run = run,
};
