/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/silence.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "ctl/output.h"

#define SILENCES_DIR "etc/aiops/silences.d"
#define OURS         "silence-" /* the names of what this verb wrote begin so */
#define AGENT_UNIT   "aiops-agent.service"

static struct json_object *silence_json(const struct silence *s, uint64_t now_us)
{
	struct json_object *o = json_object_new_object(), *alerts = json_object_new_array();
	char entity[ENTITY_TEXT_MAX];

	for (uint32_t i = 0; i < s->n_alerts; i++)
		(void)json_object_array_add(alerts, json_object_new_string(s->alerts[i]));
	(void)json_add_string(o, "name", s->name);
	(void)json_add_bool(o, "on", silence_is_on(s, now_us));
	(void)json_add(o, "alerts", alerts);
	(void)json_add_string(o, "of", s->has_entity ? entity_format(&s->entity, entity) : "");
	(void)json_add_u64(o, "from_usec", s->from_us);
	(void)json_add_u64(o, "until_usec", s->until_us);
	(void)json_add_string(o, "by", s->by);
	(void)json_add_string(o, "reason", s->reason);
	return o;
}

static const char *until_text(const struct silence *s, char buf[static CLOCK_ISO8601_MAX])
{
	if (s->until_us == 0)
		(void)str_copy(buf, CLOCK_ISO8601_MAX, "each week");
	else
		(void)clock_format_iso8601(s->until_us, buf);
	return buf;
}

static void list_row(struct table *t, const struct silence *s, uint64_t now_us)
{
	char alerts[256] = "", entity[ENTITY_TEXT_MAX], until[CLOCK_ISO8601_MAX];

	for (uint32_t i = 0; i < s->n_alerts; i++)
		str_append(alerts, sizeof(alerts), "%s%s", i ? " " : "", s->alerts[i]);
	table_row(t);
	table_cell(t, COLOUR_BOLD, "%s", s->name);
	table_cell(t, COLOUR_NONE, "%s", silence_is_on(s, now_us) ? "yes" : "no");
	table_cell(t, COLOUR_NONE, "%s", alerts[0] ? alerts : "all");
	table_cell(t, COLOUR_NONE, "%s",
		   s->has_entity ? entity_format(&s->entity, entity) : "anything");
	table_cell(t, COLOUR_NONE, "%s", until_text(s, until));
	table_cell(t, COLOUR_NONE, "%s", s->by);
	table_cell(t, COLOUR_NONE, "%s", s->reason);
}

static int list(const struct ctl *ctl, int root_fd)
{
	static const struct table_column columns[] = {
		{ "NAME", false, false },  { "ON", false, false },    { "ALERTS", false, true },
		{ "OF", false, true },     { "UNTIL", false, false }, { "BY", false, true },
		{ "REASON", false, true },
	};
	_cleanup_json_ struct json_object *root = json_object_new_object();
	struct json_object *items = json_object_new_array();
	_cleanup_(silences_done) struct silences all = { 0 };
	struct table *t;
	struct err err = { 0 };
	uint64_t now_us = clock_wall_us();

	(void)json_add(root, "silences", items);
	if (silences_load(root_fd, &all, &err) < 0)
		return ctl_fail_err(ctl, CTL_FAILED, NULL, &err);
	t = ctl->json == JSON_MODE_OFF ? table_new(ctl, columns, ELEMENTSOF(columns)) : NULL;
	for (uint32_t i = 0; i < all.n; i++) {
		if (t)
			list_row(t, &all.v[i], now_us);
		else
			(void)json_object_array_add(items, silence_json(&all.v[i], now_us));
	}
	if (!t)
		return ctl_print_json(ctl, root);
	table_print(t, "silence");
	return CTL_OK;
}

/* The agent reads the files anew; where it cannot be asked, it is said how. */
static void reload_agent(const struct ctl *ctl)
{
	_cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	if (!str_equal(ctl->root, "/"))
		return;
	r = sd_bus_open_system(&bus);
	if (r >= 0)
		r = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
				       "org.freedesktop.systemd1.Manager", "ReloadUnit", &error,
				       NULL, "ss", AGENT_UNIT, "replace");
	if (r < 0)
		(void)fprintf(stderr, "It counts after: systemctl reload aiops-agent\n");
	sd_bus_error_free(&error);
}

static const char *who(char *buf, size_t size)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *p = getuid() == 0 && sudo ? NULL : getpwuid(getuid());

	if (str_copy(buf, size,
		     p    ? p->pw_name :
		     sudo ? sudo :
			    "unknown") < 0 ||
	    !str_is_plain_name(buf))
		(void)str_copy(buf, size, "unknown");
	return buf;
}

static int open_dir(int root_fd, struct err *reterr)
{
	static const char *const dirs[] = { "etc", "etc/aiops", SILENCES_DIR };
	int fd;

	for (size_t i = 0; i < ELEMENTSOF(dirs); i++)
		if (mkdirat(root_fd, dirs[i], 0755) < 0 && errno != EEXIST)
			return err_set(reterr, -errno, "make directory '/%s': %s", dirs[i],
				       strerror(errno));
	fd = openat(root_fd, SILENCES_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(reterr, -errno, "open directory '/%s': %s", SILENCES_DIR,
				strerror(errno)) :
			fd;
}

/* A double-quoted scalar. */
static void append_quoted(char *buf, size_t size, const char *key, const char *text)
{
	str_append(buf, size, "%s: \"", key);
	for (; *text; text++)
		str_append(buf, size, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	str_append(buf, size, "\"\n");
}

static void compose(const struct ctl *ctl, const char *alert, const char *entity, uint64_t now_us,
		    char *buf, size_t size)
{
	char from[CLOCK_ISO8601_MAX], until[CLOCK_ISO8601_MAX], by[64];

	(void)clock_format_iso8601(now_us, from);
	(void)clock_format_iso8601(now_us + ctl->for_ns / NS_PER_US, until);
	buf[0] = '\0';
	if (!str_equal(alert, "all"))
		str_append(buf, size, "alerts: [\"%s\"]\n", alert);
	if (entity)
		append_quoted(buf, size, "of", entity);
	append_quoted(buf, size, "by", who(by, sizeof(by)));
	append_quoted(buf, size, "reason", ctl->reason);
	/* To the second: 2026-11-24T00:30:00 and a Z. */
	str_append(buf, size, "from: %.19sZ\nuntil: %.19sZ\n", from, until);
}

static int tell(const struct ctl *ctl, const struct silence *s, uint64_t now_us)
{
	_cleanup_json_ struct json_object *o = silence_json(s, now_us);

	if (ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, o);
	if (!ctl->quiet)
		printf("%s\n", s->name);
	return CTL_OK;
}

/* Those of ours that have ended make room. Returns 0; -E2BIG where that is not enough. */
static int make_room(int root_fd, int dir_fd, uint64_t now_us, struct err *reterr)
{
	_cleanup_(silences_done) struct silences all = { 0 };
	int r = silences_load(root_fd, &all, reterr);
	uint32_t n = r < 0 ? 0 : all.n;

	for (uint32_t i = 0; r == 0 && i < all.n; i++) {
		const struct silence *s = &all.v[i];
		char file[RULE_NAME_MAX + 8] = "";

		str_append(file, sizeof(file), "%s.yaml", s->name);
		if (strncmp(s->name, OURS, strlen(OURS)) == 0 && s->until_us > 0 &&
		    s->until_us <= now_us && unlinkat(dir_fd, file, 0) == 0)
			n--;
	}
	if (r == 0 && n >= SILENCES_MAX)
		return err_set(reterr, -E2BIG, "there are %u silences already", n);
	return r;
}

static int add(const struct ctl *ctl, int root_fd, const char *alert, const char *entity)
{
	char text[1024], name[RULE_NAME_MAX] = "", file[RULE_NAME_MAX + 8] = "";
	_cleanup_close_ int fd = -EBADF;
	uint64_t now_us = clock_wall_us();
	struct silence s = { 0 };
	struct err err = { 0 };
	int r;

	if (!ctl->reason || ctl->for_ns == 0)
		return ctl_fail(ctl, CTL_USAGE,
				"aiopsctl silence add disk-full --for=2h --reason=...",
				"silence: --for=TIME and --reason=TEXT are needed");
	if (alert[strspn(alert, "abcdefghijklmnopqrstuvwxyz0123456789-*")])
		return ctl_fail(ctl, CTL_USAGE, "list them: aiopsctl alerts",
				"not an alert: '%.64s'", alert);
	compose(ctl, alert, entity, now_us, text, sizeof(text));
	str_append(name, sizeof(name), OURS "%llu", (unsigned long long)now_us);
	str_append(file, sizeof(file), "%s.yaml", name);
	r = silence_parse("silence", text, strlen(text), &s, &err);
	if (r < 0)
		return ctl_fail_err(ctl, CTL_USAGE, NULL, &err);
	fd = open_dir(root_fd, &err);
	r = fd < 0 ? fd : make_room(root_fd, fd, now_us, &err);
	if (r == 0)
		r = fd_write_atomic(fd, file, text, strlen(text), 0644, true, &err);
	if (r < 0)
		return ctl_fail_err(ctl, CTL_REFUSED,
				    r == -EACCES || r == -EPERM ? "it needs root" : NULL, &err);
	reload_agent(ctl);
	(void)str_copy(s.name, sizeof(s.name), name);
	return tell(ctl, &s, now_us);
}

static int remove_one(const struct ctl *ctl, int root_fd, const char *name)
{
	char path[sizeof(SILENCES_DIR) + RULE_NAME_MAX + 8] = "";

	if (!str_is_plain_name(name))
		return ctl_fail(ctl, CTL_USAGE, "list them: aiopsctl silence",
				"not a name: '%.64s'", name);
	str_append(path, sizeof(path), "%s/%s.yaml", SILENCES_DIR, name);
	if (unlinkat(root_fd, path, 0) < 0)
		return ctl_fail(ctl, errno == ENOENT ? CTL_NOT_FOUND : CTL_REFUSED,
				"list them: aiopsctl silence", "remove '/%s': %s", path,
				strerror(errno));
	reload_agent(ctl);
	if (ctl->json != JSON_MODE_OFF) {
		_cleanup_json_ struct json_object *o = json_object_new_object();

		(void)json_add_string(o, "removed", name);
		return ctl_print_json(ctl, o);
	}
	return CTL_OK;
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
	if (str_equal(what, "add") && (argc == 3 || argc == 4))
		return add(ctl, root_fd, argv[2], argc == 4 ? argv[3] : NULL);
	if (str_equal(what, "remove") && argc == 3)
		return remove_one(ctl, root_fd, argv[2]);
	return ctl_fail(ctl, CTL_USAGE, "try: aiopsctl silence help",
			"silence: 'list', 'add ALERT|all [ENTITY]' or 'remove NAME'");
}

const struct verb_ops verb_silence = {
	.name = "silence",
	.group = "Configure",
	.usage = "[list|add|remove] [ALERT|all] [ENTITY]",
	.summary = "what is neither told nor repaired for a time, by whom and why",
	.help = "add writes a file of /etc/aiops/silences.d, at most 30 days long, and has the agent\n"
		"read it; a maintenance window is such a file with days, at and for.\n"
		"  aiopsctl silence add 'disk-*' mount:/srv --for=2h --reason='new disk'\n"
		"  aiopsctl silence add all unit:db.service --for=30min --reason='failover test'",
	.options = OPT_FOR | OPT_REASON,
	.run = run,
};
