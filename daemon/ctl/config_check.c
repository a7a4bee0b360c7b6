/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/config_check.h"

#include <inttypes.h>

#include "base/confdir.h"
#include "base/str.h"
#include "base/yaml.h"
#include "model/action_alias.h"
#include "model/alert.h"
#include "model/policy.h"
#include "model/runbook.h"
#include "model/service.h"
#include "model/silence.h"

/* Generated: what the programs beside this one can do and state. */
extern const struct action_info action_table[];
extern const struct signal_spec agent_signals[];
extern const char *const agent_rules[];

static int parse_service(const char *path, const char *text, size_t size, struct err *reterr)
{
	struct service s = { 0 };

	return service_parse(path, text, size, &s, reterr);
}

static int parse_policy(const char *path, const char *text, size_t size, struct err *reterr)
{
	struct policy p = { 0 };
	int r = policy_parse(path, text, size, &p, reterr);

	if (r >= 0)
		r = policy_lint(&p, action_table, reterr);
	policy_done(&p);
	return r;
}

static int parse_alert(const char *path, const char *text, size_t size, struct err *reterr)
{
	struct alert a = { 0 };
	int r = alert_parse(path, text, size, &a, reterr);

	return r < 0 ? r : alert_lint(&a, agent_signals, agent_rules, reterr);
}

static int parse_runbook(const char *path, const char *text, size_t size, struct err *reterr)
{
	struct runbook b = { 0 };
	int r = runbook_parse(path, text, size, &b, reterr);

	if (r >= 0)
		runbook_done(&b);
	return r;
}

static int load_services(int root_fd, struct err *reterr)
{
	struct services s = { 0 };
	int r = services_load_trusted(root_fd, &s, reterr);

	services_done(&s);
	return r;
}

static int load_policy(int root_fd, struct err *reterr)
{
	struct policy p = { 0 };
	int r = policy_load(root_fd, &p, reterr);

	policy_done(&p);
	return r;
}

static int load_alerts(int root_fd, struct err *reterr)
{
	struct alerts a = { 0 };
	int r = alerts_load(root_fd, &a, reterr);

	alerts_done(&a);
	return r;
}

static int load_runbooks(int root_fd, struct err *reterr)
{
	struct runbooks b = { 0 };
	int r = runbooks_load(root_fd, &b, reterr);

	runbooks_done(&b);
	return r;
}

static int parse_silence(const char *path, const char *text, size_t size, struct err *reterr)
{
	struct silence s = { 0 };

	return silence_parse(path, text, size, &s, reterr);
}

static int load_silences(int root_fd, struct err *reterr)
{
	struct silences s = { 0 };
	int r = silences_load(root_fd, &s, reterr);

	silences_done(&s);
	return r;
}

static int parse_aliases(const char *path, const char *text, size_t size, struct err *reterr)
{
	struct action_aliases a = { 0 };
	int r = aliases_parse(path, text, size, &a, reterr);

	for (uint32_t i = 0; r == 0 && i < a.n; i++)
		r = alias_lint(&a.v[i], action_table, reterr);
	return r;
}

static int load_aliases(int root_fd, struct err *reterr)
{
	struct action_aliases a;

	return aliases_load(root_fd, &a, reterr);
}

static const struct {
	const char *name, *suffix;
	bool trusted;
	int (*parse)(const char *path, const char *text, size_t size, struct err *reterr);
	int (*load)(int root_fd, struct err *reterr);
} kinds[] = {
	{ "services", ".yaml", true, parse_service, load_services },
	{ "policy", ".yaml", true, parse_policy, load_policy },
	{ "aliases", ".yaml", true, parse_aliases, load_aliases },
	{ "alerts", ".yaml", false, parse_alert, load_alerts },
	{ "runbooks", ".md", false, parse_runbook, load_runbooks },
	{ "silences", ".yaml", false, parse_silence, load_silences },
};

static void print_result(const struct ctl *ctl, const char *kind, const char *error, size_t files)
{
	char clean[ERR_TEXT_MAX * 2] = "";

	if (ctl->json != JSON_MODE_OFF)
		return;
	printf("%s%s%s  %-8s  ", colour_on(ctl, error ? COLOUR_RED : COLOUR_GREEN),
	       error ? "FAIL" : "ok  ", colour_off(ctl), kind);
	if (error)
		puts(str_escape(clean, sizeof(clean), error));
	else
		printf("%zu file%s\n", files, files == 1 ? "" : "s");
}

static void add_error(const struct ctl *ctl, const char *kind, const struct err *err,
		      struct json_object *errors)
{
	(void)json_object_array_add(errors, json_object_new_string(err_text(err)));
	print_result(ctl, kind, err_text(err), 0);
}

static int read_file(int root_fd, const struct confdir_file *file, size_t kind, struct err *reterr)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = confdir_read(root_fd, file, YAML_TEXT_MAX, kinds[kind].trusted, &text, &size,
			     reterr);

	return r < 0 ? r : kinds[kind].parse(file->path, text, size, reterr);
}

/* Each file by itself first, so that one mistake does not hide the next; then all of them together,
 * for what only shows there. Returns whether all is well. */
static bool check_kind(const struct ctl *ctl, int root_fd, size_t kind, struct json_object *ret)
{
	struct json_object *errors = json_object_new_array();
	struct confdir dir = { 0 };
	struct err err = { 0 };
	size_t n;
	bool ok;

	if (confdir_list(root_fd, kinds[kind].name, kinds[kind].suffix, &dir, &err) < 0)
		add_error(ctl, kinds[kind].name, &err, errors);
	for (size_t i = 0; i < dir.n_files; i++) {
		struct err mistake = { 0 };

		if (read_file(root_fd, &dir.files[i], kind, &mistake) < 0)
			add_error(ctl, kinds[kind].name, &mistake, errors);
	}
	n = dir.n_files;
	confdir_done(&dir);
	if (json_object_array_length(errors) == 0 && kinds[kind].load(root_fd, &err) < 0)
		add_error(ctl, kinds[kind].name, &err, errors);
	ok = json_object_array_length(errors) == 0;
	if (ok)
		print_result(ctl, kinds[kind].name, NULL, n);
	(void)json_add_string(ret, "kind", kinds[kind].name);
	(void)json_add_bool(ret, "ok", ok);
	(void)json_add_u64(ret, "files_count", n);
	(void)json_add(ret, "errors", errors);
	return ok;
}

int config_check(const struct ctl *ctl, int root_fd)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();
	struct json_object *results = json_object_new_array();
	bool good = true;

	for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
		struct json_object *o = json_object_new_object();

		good = check_kind(ctl, root_fd, i, o) && good;
		(void)json_object_array_add(results, o);
	}
	(void)json_add_bool(root, "ok", good);
	(void)json_add(root, "checks", results);
	if (ctl->json != JSON_MODE_OFF)
		(void)ctl_print_json(ctl, root);
	return good ? CTL_OK : CTL_FAILED;
}
