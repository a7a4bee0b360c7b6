/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "ops/action.h"
#include "sys/process.h"
#include "sys/processfd.h"

#define TIMEOUT_MS 15000
#define SETTLE_MS  100
#define LOOK_MS    200

static const char *const signal_choices[] = { "SIGTERM", "SIGINT",  "SIGHUP", "SIGKILL",
					      "SIGSTOP", "SIGCONT", NULL };
enum effect { EFFECT_ENDS, EFFECT_UNSEEN, EFFECT_STOPS, EFFECT_GOES_ON };
static const struct {
	int number;
	enum effect effect;
} signals[] = { { SIGTERM, EFFECT_ENDS }, { SIGINT, EFFECT_ENDS },   { SIGHUP, EFFECT_UNSEEN },
		{ SIGKILL, EFFECT_ENDS }, { SIGSTOP, EFFECT_STOPS }, { SIGCONT, EFFECT_GOES_ON } };

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "unit that the process is of" },
	{ .name = "process", .type = PARAM_TYPE_PROCESS, .help = "process that gets the signal" },
	{ .name = "signal",
	  .type = PARAM_TYPE_ENUM,
	  .default_text = "SIGTERM",
	  .choices = signal_choices,
	  .help = "signal to send" },
	{ .name = NULL },
};

static int open_proc(const struct action_context *c, struct err *reterr)
{
	return fd_open_dir(c->root_fd, "proc", reterr);
}

static int check(const struct action_context *c, struct err *reterr)
{
	_cleanup_close_ int proc_fd = open_proc(c, reterr);
	struct process p = process_of(params_get(c->params, "process"));

	return proc_fd < 0 ?
		       proc_fd :
		       process_check(c->bus, proc_fd, &p, params_text(c->params, "unit"), reterr);
}

static int send_signal(const struct action_context *c, const struct process *p, struct err *reterr)
{
	_cleanup_close_ int proc_fd = open_proc(c, reterr);
	_cleanup_close_ int pidfd = -EBADF;
	int r;

	if (proc_fd < 0)
		return proc_fd;
	r = pidfd = processfd_open(proc_fd, p->pid, p->start_jiffies);
	if (r >= 0)
		r = processfd_send(pidfd, signals[params_integer(c->params, "signal")].number);
	return r < 0 ? err_set(reterr, r, "send %s to process %d: %s",
			       params_text(c->params, "signal"), p->pid, strerror(-r)) :
		       0;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	struct process p = process_of(params_get(c->params, "process"));
	int r = c->dry_run ? 0 : send_signal(c, &p, reterr);

	if (r == 0)
		str_append(c->text, c->text_size, "%s %s to process %d",
			   c->dry_run ? "would send" : "sent", params_text(c->params, "signal"),
			   p.pid);
	return r;
}

/* Returns 1: as the signal would have it; 0: not yet; -EINPROGRESS: that cannot be seen. */
static int look(const struct action_context *c, int proc_fd, char *ret_state, struct err *reterr)
{
	struct process p = process_of(params_get(c->params, "process"));
	enum effect effect = signals[params_integer(c->params, "signal")].effect;
	struct procfs_task task = { 0 };
	int r = process_read(proc_fd, &p, &task, reterr);

	*ret_state = task.state;
	if (r == -ESRCH && effect != EFFECT_STOPS)
		return 1;
	if (r < 0)
		return r;
	switch (effect) {
	case EFFECT_ENDS:
		return 0;
	case EFFECT_STOPS:
		return task.state == 'T';
	case EFFECT_GOES_ON:
		return task.state != 'T';
	case EFFECT_UNSEEN:
		break;
	}
	return err_set(reterr, -EINPROGRESS, "verify %s to process %d: its effect is not visible",
		       params_text(c->params, "signal"), p.pid);
}

static int verify(const struct action_context *c, struct err *reterr)
{
	_cleanup_close_ int proc_fd = open_proc(c, reterr);
	struct process p = process_of(params_get(c->params, "process"));
	char state = '?';

	if (proc_fd < 0)
		return proc_fd;
	for (;;) {
		int r = look(c, proc_fd, &state, reterr);

		if (r != 0)
			return r < 0 ? r : 0;
		if (clock_boot_ns() >= c->deadline_ns)
			return err_set(reterr, -ETIMEDOUT,
				       "verify %s to process %d: it is there in state %c",
				       params_text(c->params, "signal"), p.pid, state);
		clock_sleep_ns(LOOK_MS * NS_PER_MS);
	}
}

const struct action_ops action_proc_signal = {
	.name = "proc.signal",
	.summary = "send a signal to a process that is no unit's main process",
	.source = "pidfd_send_signal(2)",
	.params = params,
	.target = "unit",
	.profile = STEP_PROFILE_PROC,
	.risk = RISK_DESTRUCTIVE, /* what a process had not saved is gone, and nobody starts it again */
	.idempotent = false,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 5000,
	.check = check,
	.apply = apply,
	.verify = verify,
};
