/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/confdir.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/yaml.h"
#include "ctl/config_check.h"
#include "model/policy.h"
#include "model/service.h"

static const struct {
	const char *kind, *suffix;
} kinds[] = {
	{ "services", ".yaml" },
	{ "policy", ".yaml" },
	{ "alerts", ".yaml" },
	{ "runbooks", ".md" },
};

/* Adds one file's path and text to items, or prints it under a header as systemctl cat does. */
static int cat_file(const struct ctl *ctl, int root_fd, const struct confdir_file *file,
		    const char *kind, struct json_object *items, struct err *reterr)
{
	_cleanup_free_ char *text = NULL;
	struct json_object *o;
	size_t size = 0;
	int r = confdir_read(root_fd, file, YAML_TEXT_MAX, false, &text, &size, reterr);

	if (r < 0)
		return r;
	if (ctl->json == JSON_MODE_OFF) {
		printf("%s# %s%s\n%s\n", colour_on(ctl, COLOUR_BLUE), file->path, colour_off(ctl),
		       text);
		return 0;
	}
	o = json_object_new_object();
	(void)json_add_string(o, "kind", kind);
	(void)json_add_string(o, "path", file->path);
	(void)json_add(o, "text", json_object_new_string(text));
	return json_object_array_add(items, o);
}

/* Prints the files of one kind. Returns how many there are; -errno. */
static int cat_kind(const struct ctl *ctl, int root_fd, size_t kind, struct json_object *items,
		    struct err *reterr)
{
	struct confdir dir = { 0 };
	int r = confdir_list(root_fd, kinds[kind].kind, kinds[kind].suffix, &dir, reterr);
	int n = (int)dir.n_files;

	for (size_t i = 0; r >= 0 && i < dir.n_files; i++)
		r = cat_file(ctl, root_fd, &dir.files[i], kinds[kind].kind, items, reterr);
	confdir_done(&dir);
	return r < 0 ? r : n;
}

/* Of one kind, or of all but the runbooks, which are long and have a verb of their own. */
static int cat(const struct ctl *ctl, int root_fd, const char *kind)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();
	struct json_object *items = json_object_new_array();
	bool known = !kind;
	struct err err = { 0 };
	int n = 0;

	(void)json_add(root, "files", items);
	for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
		int r;

		if (kind ? !str_equal(kind, kinds[i].kind) : str_equal(kinds[i].kind, "runbooks"))
			continue;
		known = true;
		r = cat_kind(ctl, root_fd, i, items, &err);
		if (r < 0)
			return ctl_fail_err(ctl, CTL_FAILED, NULL, &err);
		n += r;
	}
	if (!known)
		return ctl_fail(ctl, CTL_USAGE, NULL,
				"config cat: 'services', 'policy', 'alerts' or 'runbooks'");
	if (n == 0)
		ctl_hint(ctl, "no file there; is the package aiops-agent installed?");
	return ctl->json == JSON_MODE_OFF ? CTL_OK : ctl_print_json(ctl, root);
}

static struct json_object *rule_json(const struct policy_rule *rule)
{
	struct json_object *o = json_object_new_object(), *on = json_object_new_array();

	for (uint32_t i = 0; i < rule->n_entities; i++)
		(void)json_object_array_add(on, json_object_new_string(rule->entities[i]));
	(void)json_add_string(o, "action", rule->action);
	(void)json_add_string(o, "scope", policy_scope_to_string(rule->scope));
	(void)json_add(o, "on", on);
	(void)json_add_string(o, "autonomy", autonomy_to_string(rule->autonomy));
	(void)json_add_string(o, "origin", rule->origin);
	return o;
}

static struct json_object *policy_json(const struct policy *p)
{
	struct json_object *o = json_object_new_object(), *rules = json_object_new_array();

	for (uint32_t i = 0; i < p->n_rules; i++)
		(void)json_object_array_add(rules, rule_json(&p->rules[i]));
	(void)json_add_string(o, "mode", autonomy_to_string(p->mode));
	(void)json_add_u64(o, "per_entity_per_hour", p->limits.per_entity_per_hour);
	(void)json_add_u64(o, "per_host_per_hour", p->limits.per_host_per_hour);
	(void)json_add_u64(o, "cooldown_s", p->limits.cooldown_s);
	(void)json_add_u64(o, "approval_s", p->limits.approval_s);
	(void)json_add_u64(o, "duration_s", p->limits.duration_s);
	(void)json_add(o, "allow", rules);
	return o;
}

static struct json_object *services_json(const struct services *s)
{
	struct json_object *all = json_object_new_array();

	for (uint32_t i = 0; i < s->n; i++) {
		struct json_object *o = json_object_new_object(), *ends = json_object_new_array();

		for (uint32_t k = 0; k < s->v[i].n_endpoints; k++) {
			const struct endpoint *e = &s->v[i].endpoints[k];
			struct json_object *x = json_object_new_object();

			(void)json_add_string(x, "name", e->name);
			(void)json_add_string(x, "url", e->url);
			(void)json_add_u64(x, "interval_ms", e->interval_ms);
			(void)json_add_u64(x, "timeout_ms", e->timeout_ms);
			(void)json_add_u64(x, "slow_ms", e->slow_ms);
			(void)json_object_array_add(ends, x);
		}
		(void)json_add_string(o, "name", s->v[i].name);
		(void)json_add_string(o, s->v[i].unit[0] ? "unit" : "container",
				      service_entity(&s->v[i]).name);
		(void)json_add(o, "endpoints", ends);
		(void)json_object_array_add(all, o);
	}
	return all;
}

static void print_services(const struct ctl *ctl, const struct services *s)
{
	static const struct table_column columns[] = {
		{ "SERVICE", false, false },  { "UNIT OR CONTAINER", false, false },
		{ "ENDPOINT", false, false }, { "URL", false, true },
		{ "INTERVAL", true, false },  { "SLOW OVER", true, false },
	};
	struct table *t = table_new(ctl, columns, ELEMENTSOF(columns));

	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k < s->v[i].n_endpoints || k == 0; k++) {
			const struct endpoint *e = &s->v[i].endpoints[k];

			table_row(t);
			table_cell(t, COLOUR_BOLD, "%s", s->v[i].name);
			table_cell(t, COLOUR_NONE, "%s", service_entity(&s->v[i]).name);
			if (s->v[i].n_endpoints == 0)
				continue; /* only its unit is watched */
			table_cell(t, COLOUR_NONE, "%s", e->name);
			table_cell(t, COLOUR_NONE, "%s", e->url);
			table_cell(t, COLOUR_NONE, "%u ms", e->interval_ms);
			table_cell(t, COLOUR_NONE, "%u ms", e->slow_ms);
		}
	table_print(t, "endpoint");
}

static void print_policy(const struct ctl *ctl, const struct policy *p)
{
	static const struct table_column columns[] = {
		{ "ACTION", false, false },
		{ "ON", false, true },
		{ "AUTONOMY", false, false },
		{ "FROM", false, true },
	};
	struct table *t = table_new(ctl, columns, ELEMENTSOF(columns));

	for (uint32_t i = 0; i < p->n_rules; i++) {
		const struct policy_rule *rule = &p->rules[i];
		char on[512] = "";

		if (rule->scope != POLICY_SCOPE_LIST)
			str_append(on, sizeof(on), "%s", policy_scope_to_string(rule->scope));
		for (uint32_t k = 0; k < rule->n_entities; k++)
			str_append(on, sizeof(on), "%s%s", k ? " " : "", rule->entities[k]);
		table_row(t);
		table_cell(t, COLOUR_BOLD, "%s", p->rules[i].action);
		table_cell(t, COLOUR_NONE, "%s", on);
		table_cell(t, COLOUR_NONE, "%s", autonomy_to_string(p->rules[i].autonomy));
		table_cell(t, COLOUR_GREY, "%s", p->rules[i].origin);
	}
	table_print(t, "policy rule");
	printf("\n%12s: %s\n%12s: %u actions an hour on one unit, %u on the host, again after "
	       "%u s\n%12s: waits %u s for an answer\n",
	       "Mode", autonomy_to_string(p->mode), "Limits", p->limits.per_entity_per_hour,
	       p->limits.per_host_per_hour, p->limits.cooldown_s, "Approval", p->limits.approval_s);
}

static int show(const struct ctl *ctl, int root_fd)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();
	struct services s = { 0 };
	struct policy p = { 0 };
	struct err err = { 0 };
	int r = services_load(root_fd, &s, &err);

	if (r >= 0)
		r = policy_load(root_fd, &p, &err);
	if (r >= 0 && ctl->json != JSON_MODE_OFF) {
		(void)json_add(root, "services", services_json(&s));
		(void)json_add(root, "policy", policy_json(&p));
		(void)ctl_print_json(ctl, root);
	} else if (r >= 0) {
		print_services(ctl, &s);
		putchar('\n');
		print_policy(ctl, &p);
	}
	services_done(&s);
	policy_done(&p);
	return r < 0 ? ctl_fail_err(ctl, CTL_FAILED, "check all: aiopsctl config check", &err) :
		       CTL_OK;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "show";
	struct err err = { 0 };
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, ctl->root, &err);

	if (root_fd < 0)
		return ctl_fail_err(ctl, CTL_USAGE, NULL, &err);
	if (argc <= 3 && str_equal(what, "cat"))
		return cat(ctl, root_fd, argc == 3 ? argv[2] : NULL);
	if (argc <= 2 && str_equal(what, "show"))
		return show(ctl, root_fd);
	if (argc <= 2 && str_equal(what, "check"))
		return config_check(ctl, root_fd);
	return ctl_fail(ctl, CTL_USAGE, NULL, "config: 'show', 'check' or 'cat [KIND]'");
}

const struct verb_ops verb_config = {
	.name = "config",
	.group = "Configure",
	.usage = "[show|check|cat [KIND]]",
	.summary = "what is configured, from where, and is it right",
	.help = "show prints what is in force and from which line. check reads all of it as the\n"
		"daemons do and names file, line and column of each mistake. cat prints every\n"
		"file that counts, or those of one KIND: services, policy, alerts, runbooks.",
	.run = run,
};
