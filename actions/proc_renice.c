/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "ops/action.h"
#include "sys/process.h"
#include "sys/processfd.h"

#define TIMEOUT_MS 15000
#define ROUNDS_MAX 8 /* each catches the threads that the last one's made meanwhile */
#define NICE_MAX   19

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "unit that the process is of" },
	{ .name = "process", .type = PARAM_TYPE_PROCESS, .help = "process that is to yield" },
	{ .name = "nice",
	  .type = PARAM_TYPE_INTEGER,
	  .min = 0, /* below it a process takes from all others */
	  .max = NICE_MAX,
	  .help = "0 ordinary, 19 last of all" },
	{ .name = NULL },
};

struct undo {
	uint64_t n;
	struct process_thread threads[PROCESS_THREADS_MAX];
};
_Static_assert(sizeof(struct undo) <= ACTION_UNDO_MAX, "the undo record holds the threads");

static int open_proc(const struct action_context *c, struct err *reterr)
{
	return fd_open_dir(c->root_fd, "proc", reterr);
}

static int wanted_nice(const struct action_context *c)
{
	return (int)params_integer(c->params, "nice");
}

/* Returns how many of its threads have another nice; -errno. */
static int count_others(const struct action_context *c, int proc_fd, struct err *reterr)
{
	struct process p = process_of(params_get(c->params, "process"));
	struct process_thread threads[PROCESS_THREADS_MAX];
	ssize_t n = process_list_threads(proc_fd, &p, threads, ELEMENTSOF(threads), reterr);
	int others = 0;

	for (ssize_t i = 0; i < n; i++)
		others += threads[i].nice != wanted_nice(c);
	return n < 0 ? (int)n : others;
}

static int check(const struct action_context *c, struct err *reterr)
{
	_cleanup_close_ int proc_fd = open_proc(c, reterr);
	struct process p = process_of(params_get(c->params, "process"));
	struct procfs_task task;
	int r = proc_fd < 0 ?
			proc_fd :
			process_check(c->bus, proc_fd, &p, params_text(c->params, "unit"), reterr);

	if (r == 0)
		r = process_read(proc_fd, &p, &task, reterr);
	if (r < 0)
		return r;
	if (task.policy != SCHED_OTHER && task.policy != SCHED_BATCH)
		return err_set(reterr, -EOPNOTSUPP,
			       "renice process %d: nice means nothing to its scheduling class",
			       p.pid);
	r = count_others(c, proc_fd, reterr);
	if (r == 0)
		str_append(c->text, c->text_size, "process %d has nice %d already", p.pid,
			   wanted_nice(c));
	return r == 0 ? 1 : r < 0 ? r : 0;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	_cleanup_close_ int proc_fd = open_proc(c, reterr);
	struct process p = process_of(params_get(c->params, "process"));
	struct undo u = { 0 };
	ssize_t n = proc_fd < 0 ? proc_fd :
				  process_list_threads(proc_fd, &p, u.threads,
						       ELEMENTSOF(u.threads), reterr);

	if (n < 0)
		return (int)n;
	u.n = (uint64_t)n;
	memcpy(undo, &u, sizeof(u));
	return sizeof(u);
}

/* Gives each thread that has another nice the wanted one. Returns how many; -errno. */
static int renice_round(const struct action_context *c, int proc_fd, struct err *reterr)
{
	struct process p = process_of(params_get(c->params, "process"));
	struct process_thread threads[PROCESS_THREADS_MAX];
	ssize_t n = process_list_threads(proc_fd, &p, threads, ELEMENTSOF(threads), reterr);
	int changed = 0;

	for (ssize_t i = 0; i < n; i++) {
		int r;

		if (threads[i].nice == wanted_nice(c))
			continue;
		r = process_set_nice(proc_fd, &p, &threads[i], wanted_nice(c));
		if (r < 0 && r != -ESRCH)
			return err_set(reterr, r, "renice thread %d of process %d: %s",
				       threads[i].tid, p.pid, strerror(-r));
		changed++;
	}
	return n < 0 ? (int)n : changed;
}

static int apply(const struct action_context *c, struct err *reterr)
{
	_cleanup_close_ int proc_fd = open_proc(c, reterr);
	struct process p = process_of(params_get(c->params, "process"));
	int r = proc_fd < 0 ? proc_fd : c->dry_run ? 0 : 1;

	for (int i = 0; r > 0 && i < ROUNDS_MAX; i++)
		r = renice_round(c, proc_fd, reterr);
	if (r < 0)
		return r;
	str_append(c->text, c->text_size, "%s process %d to %d",
		   c->dry_run ? "would renice" : "reniced", p.pid, wanted_nice(c));
	return 0;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	_cleanup_close_ int proc_fd = open_proc(c, reterr);
	int r = proc_fd < 0 ? proc_fd : count_others(c, proc_fd, reterr);

	return r <= 0 ? r :
			err_set(reterr, -EIO, "verify nice of process %s: %d threads have another",
				params_text(c->params, "process"), r);
}

/* The nice a thread had; those that are new since have it from the first. */
static int nice_before(const struct undo *u, const struct process_thread *thread)
{
	for (uint64_t i = 0; i < u->n; i++)
		if (u->threads[i].tid == thread->tid &&
		    u->threads[i].start_jiffies == thread->start_jiffies)
			return u->threads[i].nice;
	return u->threads[0].nice;
}

/* Returns how many had neither our nice nor the one before, and were left alone; -errno. */
static int restore(const struct action_context *c, int proc_fd, const struct undo *u,
		   struct err *reterr)
{
	struct process p = process_of(params_get(c->params, "process"));
	struct process_thread now[PROCESS_THREADS_MAX];
	ssize_t n = process_list_threads(proc_fd, &p, now, ELEMENTSOF(now), reterr);
	int others = 0;

	for (ssize_t i = 0; i < n; i++) {
		int before = nice_before(u, &now[i]), r;

		others += now[i].nice != before && now[i].nice != wanted_nice(c);
		if (now[i].nice != wanted_nice(c))
			continue;
		r = process_set_nice(proc_fd, &p, &now[i], before);
		if (r < 0 && r != -ESRCH)
			return err_set(reterr, r, "renice thread %d of process %d back: %s",
				       now[i].tid, p.pid, strerror(-r));
	}
	return n < 0 ? (int)n : others;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	_cleanup_close_ int proc_fd = open_proc(c, reterr);
	const char *process = params_text(c->params, "process");
	struct undo u;
	int r;

	memcpy(&u, undo, undo_size < sizeof(u) ? undo_size : sizeof(u));
	if (undo_size != sizeof(u) || u.n == 0 || u.n > ELEMENTSOF(u.threads))
		return err_set(reterr, -EBADMSG, "undo nice of process %s: bad undo record",
			       process);
	if (proc_fd < 0)
		return proc_fd;
	r = restore(c, proc_fd, &u, reterr);
	if (r == -ESRCH) {
		str_append(c->text, c->text_size, "process %s is gone", process);
		return 0;
	}
	if (r > 0)
		return err_set(reterr, -ECANCELED,
			       "undo nice of process %s: somebody gave it another, left alone",
			       process);
	if (r == 0)
		str_append(c->text, c->text_size, "process %s has the nice it had", process);
	return r;
}

const struct action_ops action_proc_renice = {
	.name = "proc.renice",
	.summary = "let a process and all its threads yield to others",
	.source = "setpriority(2)",
	.params = params,
	.target = "unit",
	.profile = STEP_PROFILE_PROC,
	.risk = RISK_REVERSIBLE,
	.undo = "the process gets the nice it had",
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.cooldown_ms = 5000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
