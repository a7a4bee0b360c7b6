/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "ops/fault.h"
#include "sys/processfd.h"
#include "sys/procfs.h"
#include "sys/victim.h"

/* SIGTERM is not among them: a service that ends well was stopped, it did not crash. */
static const char *const signal_names[] = { "SIGKILL", "SIGSEGV", "SIGABRT", NULL };
static const int signal_numbers[] = { SIGKILL, SIGSEGV, SIGABRT };

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "the service whose main process dies" },
	{ .name = "signal",
	  .type = PARAM_TYPE_ENUM,
	  .default_text = "SIGKILL",
	  .choices = signal_names,
	  .help = "what ends it" },
	{ .name = NULL },
};

static int read_victim(const struct fault_context *c, struct victim *ret, struct err *reterr)
{
	const char *unit = params_text(c->params, "unit");
	int r = victim_read_running(c->bus, unit, ret, reterr);

	if (r == 0 && ret->facts.main_pid == 0)
		return err_set(reterr, -ESRCH, "unit '%s' has no main process", unit);
	return r;
}

static int check(const struct fault_context *c, struct err *reterr)
{
	struct victim v = { 0 };

	return read_victim(c, &v, reterr);
}

/* The main process, proven to be of the unit still. Returns a pidfd. */
static int open_main(const struct victim *v, struct err *reterr)
{
	_cleanup_close_ int proc_fd = fd_open_dir(AT_FDCWD, "/proc", reterr);
	char unit[ENTITY_NAME_MAX] = "";
	struct procfs_task task = { 0 };
	int r;

	if (proc_fd < 0)
		return proc_fd;
	r = procfs_read_task(proc_fd, (pid_t)v->facts.main_pid, &task);
	if (r == 0)
		r = procfs_read_unit(proc_fd, (pid_t)v->facts.main_pid, unit);
	if (r == 0 && !str_equal(unit, v->unit))
		r = -ESRCH;
	if (r == 0)
		r = processfd_open(proc_fd, (pid_t)v->facts.main_pid, task.start_jiffies);
	return r < 0 ? err_set(reterr, r, "open process %d of '%s': %s", (pid_t)v->facts.main_pid,
			       v->unit, strerror(-r)) :
		       r;
}

static int inject(struct fault_context *c, struct err *reterr)
{
	int signal_number = signal_numbers[params_integer(c->params, "signal")];
	_cleanup_close_ int fd = -EBADF;
	struct victim *v = calloc(1, sizeof(*v));
	int r;

	c->priv = v;
	if (!v)
		return err_set(reterr, -ENOMEM, "remember the process: Out of memory");
	r = read_victim(c, v, reterr);
	if (r < 0)
		return r;
	fd = open_main(v, reterr);
	if (fd < 0)
		return fd;
	r = processfd_send(fd, signal_number);
	return r < 0 ? err_set(reterr, r, "signal process %d of '%s': %s", (pid_t)v->facts.main_pid,
			       v->unit, strerror(-r)) :
		       0;
}

static int effect(struct fault_context *c, struct err *reterr)
{
	const struct victim *before = c->priv;
	struct victim now = { 0 };
	int r = victim_read(c->bus, before->unit, &now, reterr);

	if (r < 0)
		return r;
	if (unit_facts_is_active(&now.facts) && now.facts.main_pid == before->facts.main_pid)
		return 0;
	str_append(c->text, c->text_size, "process %u is dead, the unit is %s (%s)",
		   before->facts.main_pid, now.facts.active_state, now.facts.result);
	return 1;
}

/* The moment has passed as soon as the signal is sent. */
static int active(struct fault_context *c, struct err *reterr)
{
	(void)c;
	(void)reterr;
	return 0;
}

static void release(struct fault_context *c)
{
	free(c->priv);
	c->priv = NULL;
}

static const char *const actions[] = { "unit.start", "unit.restart", NULL };

const struct fault_ops fault_unit_kill = {
	.name = "unit.kill",
	.summary = "end a service's main process by a signal; nobody brings it back",
	.source = "pidfd_send_signal(2), proven to be of the unit by /proc/PID/cgroup",
	.params = params,
	.reverts = REVERTS_NOBODY,
	.expects = { .cause = "service-crashed",
		     .actions = actions,
		     .effect = "the unit fails and its endpoint refuses connections" },
	.check = check,
	.inject = inject,
	.effect = effect,
	.active = active,
	.release = release,
};
