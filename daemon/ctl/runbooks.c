/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/runbook.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/yaml.h"
#include "ctl/runbook_search.h"
#include "ctl/tally.h"
#include "engine/engine.h"

/* Generated: what the programs beside this one can do and state. */
extern const struct action_info action_table[];
extern const struct inspector_info agent_inspectors[], recorder_inspectors[];
extern const struct signal_spec agent_signals[];

static int load(const struct ctl *ctl, struct runbooks *ret, struct err *reterr)
{
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, ctl->root, reterr);

	return root_fd < 0 ? root_fd : runbooks_load(root_fd, ret, reterr);
}

static struct json_object *runbook_json(const struct runbook *b)
{
	struct json_object *o = json_object_new_object(), *alerts = json_object_new_array();

	for (uint32_t i = 0; i < b->n_alerts; i++)
		(void)json_object_array_add(alerts, json_object_new_string(b->alerts[i]));
	(void)json_add_string(o, "id", b->id);
	(void)json_add_string(o, "title", b->title);
	(void)json_add_string(o, "risk", risk_to_string(b->risk));
	(void)json_add_string(o, "autonomy", autonomy_to_string(b->autonomy));
	(void)json_add(o, "alerts", alerts);
	(void)json_add_u64(o, "tests_count", b->n_tests);
	(void)json_add_string(o, "path", b->path);
	return o;
}

static int list(const struct ctl *ctl, const struct runbooks *all)
{
	static const struct table_column columns[] = {
		{ "ID", false, false },    { "RISK", false, false }, { "AUTONOMY", false, false },
		{ "ALERTS", false, true }, { "TITLE", false, true },
	};
	_cleanup_json_ struct json_object *root = json_object_new_object();
	struct json_object *items = json_object_new_array();
	struct table *t = ctl->json == JSON_MODE_OFF ?
				  table_new(ctl, columns, ELEMENTSOF(columns)) :
				  NULL;

	for (uint32_t i = 0; i < all->n; i++) {
		const struct runbook *b = &all->v[i];
		char alerts[256] = "";

		(void)json_object_array_add(items, runbook_json(b));
		if (!t)
			continue;
		for (uint32_t k = 0; k < b->n_alerts; k++)
			str_append(alerts, sizeof(alerts), "%s%s", k ? " " : "", b->alerts[k]);
		table_row(t);
		table_cell(t, COLOUR_BOLD, "%s", b->id);
		table_cell(t, COLOUR_NONE, "%s", risk_to_string(b->risk));
		table_cell(t, COLOUR_NONE, "%s", autonomy_to_string(b->autonomy));
		table_cell(t, COLOUR_NONE, "%s", alerts);
		table_cell(t, COLOUR_NONE, "%s", b->title);
	}
	(void)json_add(root, "runbooks", items);
	if (!t)
		return ctl_print_json(ctl, root);
	table_print(t, "runbook");
	return CTL_OK;
}

static int show(const struct ctl *ctl, const struct runbooks *all, const char *id)
{
	const struct runbook *b = runbooks_find(all, id);
	_cleanup_json_ struct json_object *o = NULL;

	if (!b)
		return ctl_fail(ctl, CTL_NOT_FOUND, "list them: aiopsctl runbooks",
				"no runbook '%s'", id);
	if (ctl->json != JSON_MODE_OFF) {
		o = runbook_json(b);
		(void)json_add_string(o, "when_not_to_use", b->when_not_to_use);
		(void)json_add_string(o, "body", b->body);
		return ctl_print_json(ctl, o);
	}
	printf("%s%s%s (%s, %s)\n%s\n\n%s\n", colour_on(ctl, COLOUR_BOLD), b->title,
	       colour_off(ctl), risk_to_string(b->risk), autonomy_to_string(b->autonomy), b->path,
	       b->body);
	return CTL_OK;
}

static int load_alerts(const struct ctl *ctl, struct alerts *ret, struct err *reterr)
{
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, ctl->root, reterr);

	return root_fd < 0 ? root_fd : alerts_load(root_fd, ret, reterr);
}

/* Where no alert is installed, their names are not checked. */
static void lint_one(const struct ctl *ctl, struct tally *t, const struct runbook *b)
{
	_cleanup_(alerts_done) struct alerts alerts = { 0 };
	struct err err = { 0 };
	int r = load_alerts(ctl, &alerts, &err);
	const struct runbook_names names = {
		.alerts = alerts.n > 0 ? &alerts : NULL,
		.actions = action_table,
		.faults = fault_table,
		.inspectors = { agent_inspectors, recorder_inspectors },
		.signals = agent_signals,
	};

	if (r >= 0)
		r = runbook_lint(b, &names, &err);
	tally_add(ctl, t, b->path, r, &err);
}

/* A file that is not installed: as it is being written. */
static void lint_file(const struct ctl *ctl, struct tally *t, const char *path)
{
	_cleanup_(runbook_done) struct runbook b = { 0 };
	_cleanup_free_ char *text = malloc(YAML_TEXT_MAX);
	struct err err = { 0 };
	ssize_t size = text ? fd_read_file(AT_FDCWD, path, text, YAML_TEXT_MAX) : -ENOMEM;
	int r;

	if (size < 0)
		r = err_set(&err, (int)size, "read '%s': %s", path, strerror((int)-size));
	else
		r = runbook_parse(path, text, (size_t)size, &b, &err);
	if (r < 0)
		tally_add(ctl, t, path, r, &err);
	else
		lint_one(ctl, t, &b);
}

/* Returns -ENOENT for what can only be tried on a real machine. */
static int try_test(struct knowledge *k, const struct runbook *b, uint32_t i, struct err *reterr)
{
	const char *search = b->tests[i].search;

	return search[0] ? runbook_search_test(k, b->id, search, reterr) :
			   engine_replay_runbook(b, i, reterr);
}

static void test_one(const struct ctl *ctl, struct tally *t, const struct runbook *b,
		     struct knowledge *k)
{
	for (uint32_t i = 0; i < b->n_tests; i++) {
		char name[256] = "";
		struct err err = { 0 };
		int r = try_test(k, b, i, &err);

		if (r == -ENOENT)
			continue;
		str_append(name, sizeof(name), "%s: %s", b->id, b->tests[i].name);
		tally_add(ctl, t, name, r, &err);
	}
}

/* k: all runbooks, to search in; NULL: lint. */
static void check_one(const struct ctl *ctl, struct tally *t, const struct runbook *b,
		      struct knowledge *k)
{
	if (k)
		test_one(ctl, t, b, k);
	else
		lint_one(ctl, t, b);
}

static int lint_or_test(const struct ctl *ctl, const struct runbooks *all, bool test, int argc,
			char **argv)
{
	_cleanup_(knowledge_closep) struct knowledge *knowledge = NULL;
	struct tally t = { 0 };
	struct err err = { 0 };

	if (argc == 0 && all->n == 0)
		return ctl_fail(ctl, CTL_NOT_FOUND, "name a FILE, or say where: --root=DIR",
				"no runbook is installed");
	for (int i = 0; i < argc; i++)
		if (!runbooks_find(all, argv[i]) && (test || !strchr(argv[i], '/')))
			return ctl_fail(ctl, CTL_NOT_FOUND, "list them: aiopsctl runbooks",
					"no runbook '%s'", argv[i]);
	if (test && runbook_search_index(all, &knowledge, &err) < 0)
		return ctl_fail_err(ctl, CTL_FAILED, NULL, &err);
	for (int i = 0; i < argc; i++) {
		const struct runbook *b = runbooks_find(all, argv[i]);

		if (!b)
			lint_file(ctl, &t, argv[i]);
		else
			check_one(ctl, &t, b, knowledge);
	}
	for (uint32_t i = 0; argc == 0 && i < all->n; i++)
		check_one(ctl, &t, &all->v[i], knowledge);
	return tally_finish(ctl, &t);
}

static int dispatch(const struct ctl *ctl, const struct runbooks *all, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "list";

	if (str_equal(what, "list") && argc <= 2)
		return list(ctl, all);
	if (str_equal(what, "show") && argc == 3)
		return show(ctl, all, argv[2]);
	if (str_equal(what, "search"))
		return runbook_search(ctl, all, argc - 2, argv + 2);
	if (ctl->incident)
		return ctl_fail(ctl, CTL_USAGE, "try: aiopsctl runbooks search --incident=ID",
				"runbooks: '--incident' is for 'search'");
	if (str_equal(what, "lint") || str_equal(what, "test"))
		return lint_or_test(ctl, all, what[0] == 't', argc - 2, argv + 2);
	return ctl_fail(
		ctl, CTL_USAGE, "try: aiopsctl runbooks help",
		"runbooks: 'list', 'show ID', 'search TEXT', 'lint [ID|FILE...]' or 'test [ID...]'");
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	struct runbooks all = { 0 };
	struct err err = { 0 };
	int r = load(ctl, &all, &err);

	if (r < 0)
		return ctl_fail_err(ctl, CTL_FAILED, NULL, &err);
	r = dispatch(ctl, &all, argc, argv);
	runbooks_done(&all);
	return r;
}

const struct verb_ops verb_runbooks = {
	.name = "runbooks",
	.group = "Configure",
	.usage = "[list|show|search|lint|test] [ID...]",
	.summary = "what the agent knows how to heal; check and try it",
	.help = "search TEXT finds what fits, in your own words or with a line of a log; with\n"
		"--incident=ID the words are the incident's. It looks through runbooks, manual\n"
		"pages of managed services and the documents in /etc/aiops/docs.d; without the\n"
		"recorder through the runbooks alone.\n"
		"lint checks every name and number; a FILE with a slash need not be installed.\n"
		"test runs the fixtures in a runbook's front matter through the real diagnosis;\n"
		"it needs no root and no daemon.",
	.options = OPT_INCIDENT | OPT_LIMIT,
	.run = run,
};
