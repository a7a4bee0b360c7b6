/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/step.o */
/* The step and its real actions on a machine without systemd, which is replaced by files: a unit is
 * $BARE_ROOT/systemd/NAME with lines KEY=VALUE, and every job goes into $BARE_ROOT/systemd/jobs. A unit with
 * "config=PATH" dies of its start or reload when that file below $BARE_ROOT says "broken"; a reload of one with
 * a main_pid sends it SIGHUP. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ops/action.h"
#include "sys/unitctl.h"

extern const struct action_ops action_disk_free_space, action_disk_release_deleted,
	action_net_remove_qdisc, action_net_remove_rule, action_proc_renice, action_proc_signal,
	action_service_keep_config, action_service_rollback_config;

const struct action_ops *const action_registry[] = {
	&action_disk_free_space,
	&action_disk_release_deleted,
	&action_net_remove_qdisc,
	&action_net_remove_rule,
	&action_proc_renice,
	&action_proc_signal,
	&action_service_keep_config,
	&action_service_rollback_config,
	NULL,
};

static int bus;

/* The value of a line KEY=VALUE, "" without one. */
static void read_key(const char *text, const char *key, char *ret, size_t size)
{
	size_t n = strlen(key);

	ret[0] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) == 0 && line[n] == '=')
			str_append(ret, size, "%.*s", (int)strcspn(line + n + 1, "\n"),
				   line + n + 1);
	}
}

static int open_root(void)
{
	return open(getenv("BARE_ROOT"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int read_unit(const char *unit, char *text, size_t size)
{
	_cleanup_close_ int fd = open_root();
	char path[300] = "systemd/";

	str_append(path, sizeof(path), "%s", unit);
	return fd_read_file(fd, path, text, size) < 0 ? -ENOENT : 0;
}

static void write_unit(const char *unit, const struct unit_facts *f, const char *config)
{
	_cleanup_close_ int fd = open_root();
	char path[300] = "systemd/", text[1024] = "";

	str_append(path, sizeof(path), "%s", unit);
	str_append(text, sizeof(text),
		   "active=%s\nresult=%s\nmain_pid=%u\ninvocation=%s\ncan_reload=%d\nchanged=%llu\n"
		   "config=%s\ncontrol_group=%s\n",
		   f->active_state, f->result, f->main_pid, f->invocation_id, f->can_reload,
		   (unsigned long long)f->state_change_mono_us, config, f->control_group);
	if (fd_write_atomic(fd, path, text, strlen(text), 0644, false, NULL) < 0)
		abort();
}

int unitctl_open(void **ret_bus, struct err *reterr)
{
	(void)reterr;
	*ret_bus = &bus;
	return 0;
}

void *unitctl_close(void *b)
{
	(void)b;
	return NULL;
}

int unitctl_read(void *b, const char *unit, struct unit_facts *ret, struct err *reterr)
{
	char text[1024] = "", value[64] = "";
	struct unit_facts f = { 0 };
	uint64_t number = 0;

	(void)b;
	(void)reterr;
	(void)str_copy(f.id, sizeof(f.id), unit);
	if (read_unit(unit, text, sizeof(text)) < 0) {
		(void)str_copy(f.load_state, sizeof(f.load_state), "not-found");
		*ret = f;
		return 0;
	}
	(void)str_copy(f.load_state, sizeof(f.load_state), "loaded");
	(void)str_copy(f.freezer_state, sizeof(f.freezer_state), "running");
	read_key(text, "active", f.active_state, sizeof(f.active_state));
	read_key(text, "result", f.result, sizeof(f.result));
	read_key(text, "invocation", f.invocation_id, sizeof(f.invocation_id));
	read_key(text, "control_group", f.control_group, sizeof(f.control_group));
	read_key(text, "can_reload", value, sizeof(value));
	f.can_reload = str_equal(value, "1");
	read_key(text, "changed", value, sizeof(value));
	if (str_parse_u64(value, &f.state_change_mono_us) < 0)
		f.state_change_mono_us = 0;
	read_key(text, "main_pid", value, sizeof(value));
	if (str_parse_u64(value, &number) == 0)
		f.main_pid = (uint32_t)number;
	*ret = f;
	return 0;
}

static void note_job(const char *method, const char *unit)
{
	_cleanup_close_ int fd = open_root();
	_cleanup_close_ int jobs = openat(fd, "systemd/jobs",
					  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	char line[300] = "";

	str_append(line, sizeof(line), "%s %s\n", method, unit);
	if (jobs < 0 || write(jobs, line, strlen(line)) < 0)
		abort();
}

static bool is_broken(const char *config)
{
	_cleanup_close_ int fd = open_root();
	char text[4096] = "";

	return config[0] && fd_read_file(fd, config + 1, text, sizeof(text)) > 0 &&
	       strstr(text, "broken");
}

int unitctl_run_job(void *b, const char *method, const char *unit, uint64_t deadline_ns,
		    struct err *reterr)
{
	char text[1024] = "", config[256] = "";
	struct unit_facts f;

	(void)b;
	(void)deadline_ns;
	note_job(method, unit);
	if (unitctl_read(NULL, unit, &f, reterr) < 0 || read_unit(unit, text, sizeof(text)) < 0)
		return err_set(reterr, -ENOENT, "no unit");
	read_key(text, "config", config, sizeof(config));
	if (str_equal(method, "ReloadUnit") && f.main_pid > 1)
		(void)tgkill((pid_t)f.main_pid, (pid_t)f.main_pid,
			     SIGHUP); /* kill() is not allowed */
	f.state_change_mono_us = clock_mono_us();
	(void)str_copy(f.active_state, sizeof(f.active_state),
		       is_broken(config) ? "failed" : "active");
	(void)str_copy(f.result, sizeof(f.result), is_broken(config) ? "exit-code" : "success");
	write_unit(unit, &f, config);
	return is_broken(config) ? err_set(reterr, -EIO, "%s of unit '%s': job ended as 'failed'",
					   method, unit) :
				   0;
}

int unitctl_wait_idle(void *b, const char *unit, uint64_t deadline_ns, struct err *reterr)
{
	(void)b;
	(void)unit;
	(void)deadline_ns;
	(void)reterr;
	return 0;
}

int unitctl_stop_ours(void *b, const char *unit, uint64_t deadline_ns, struct err *reterr)
{
	(void)b;
	(void)deadline_ns;
	(void)reterr;
	note_job("StopUnit", unit);
	return 0;
}
