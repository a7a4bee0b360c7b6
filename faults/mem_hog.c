/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "ops/fault.h"
#include "sys/cgroup.h"
#include "sys/processfd.h"
#include "sys/victim.h"
#include "sys/worker.h"

#define MIB_BYTES UINT64_C(1048576)
/* Left to the host over what the unit may still take, so that the kernel kills in the unit's cgroup
 * and nowhere else. */
#define RESERVE_BYTES (128 * MIB_BYTES)
/* Beyond the limit by this much: what is swapped out does not count, so do not chase it. */
#define OVERSHOOT_MIB 64
#define KILL_WAIT_MS  2000

static const struct param_spec params[] = {
	{ .name = "unit",
	  .type = PARAM_TYPE_UNIT,
	  .help = "the service whose memory runs out; it must have MemoryMax=" },
	{ .name = "rate_mib_per_s",
	  .type = PARAM_TYPE_INTEGER,
	  .unit = "MiB/s",
	  .min = 1,
	  .max = WORKER_RATE_MAX_MIB,
	  .default_text = "64",
	  .help = "how fast it grows" },
	{ .name = NULL },
};

struct state {
	int32_t pid;
	uint32_t reserved;
	uint64_t start_jiffies;
};

struct hog {
	struct victim victim;
	struct worker worker;
	uint64_t kills_before;
};

static int read_limit(const struct victim *v, uint64_t *ret_max, uint64_t *ret_used,
		      struct err *reterr)
{
	_cleanup_close_ int fd = victim_open_cgroup(v, reterr);
	_cleanup_close_ int max_fd = -EBADF, used_fd = -EBADF;
	int r;

	if (fd < 0)
		return fd;
	max_fd = openat(fd, "memory.max", O_RDONLY | O_CLOEXEC);
	used_fd = openat(fd, "memory.current", O_RDONLY | O_CLOEXEC);
	r = max_fd < 0 || used_fd < 0 ? -errno : cgroup_read_u64(max_fd, ret_max);
	if (r == 0)
		r = cgroup_read_u64(used_fd, ret_used);
	return r < 0 ? err_set(reterr, r, "read the memory limit of '%s': %s", v->unit,
			       strerror(-r)) :
		       0;
}

static int read_available(uint64_t *ret_bytes, struct err *reterr)
{
	char text[4096] = "";
	ssize_t n = fd_read_file(AT_FDCWD, "/proc/meminfo", text, sizeof(text));
	const char *p = n < 0 ? NULL : strstr(text, "MemAvailable:");

	if (!p)
		return err_set(reterr, n < 0 ? (int)n : -ENODATA,
			       "read '/proc/meminfo': no MemAvailable");
	*ret_bytes = strtoull(p + strlen("MemAvailable:"), NULL, 10) * 1024;
	return 0;
}

static int check_room(const struct victim *v, uint64_t *ret_max, struct err *reterr)
{
	uint64_t max = 0, used = 0, available = 0;
	int r = read_limit(v, &max, &used, reterr);

	if (r < 0)
		return r;
	if (max == UINT64_MAX || max / MIB_BYTES > WORKER_GROW_MAX_MIB - OVERSHOOT_MIB)
		return err_set(reterr, -EINVAL,
			       "unit '%s' has no memory limit (MemoryMax=): the host would pay",
			       v->unit);
	r = read_available(&available, reterr);
	if (r == 0 && max - (used < max ? used : max) + RESERVE_BYTES > available)
		return err_set(reterr, -ENOMEM,
			       "the host has %" PRIu64
			       " MiB left: too few to fill '%s' up to its %" PRIu64 " MiB",
			       available / MIB_BYTES, v->unit, max / MIB_BYTES);
	*ret_max = max;
	return r;
}

static int check(const struct fault_context *c, struct err *reterr)
{
	struct victim v = { 0 };
	uint64_t max = 0;
	int r = victim_read_running(c->bus, params_text(c->params, "unit"), &v, reterr);

	return r < 0 ? r : check_room(&v, &max, reterr);
}

static int start_worker(const struct fault_context *c, struct hog *h, int cgroup_fd,
			struct err *reterr)
{
	_cleanup_close_ int procs_fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	struct worker_growth g = {
		.procs_fd = procs_fd,
		.rate_mib_per_s = (uint32_t)params_integer(c->params, "rate_mib_per_s"),
	};
	uint64_t max = 0;
	int r;

	if (procs_fd < 0)
		return err_set(reterr, -errno, "open the cgroup of '%s': %s", h->victim.unit,
			       strerror(errno));
	r = check_room(&h->victim, &max, reterr);
	if (r < 0)
		return r;
	g.most_mib = (uint32_t)(max / MIB_BYTES) + OVERSHOOT_MIB;
	return worker_start_growing(&g, &h->worker, reterr);
}

static int inject(struct fault_context *c, struct err *reterr)
{
	struct hog *h = calloc(1, sizeof(*h));
	struct state s = { 0 };
	_cleanup_close_ int cgroup_fd = -EBADF;
	int r;

	c->priv = h;
	if (!h)
		return err_set(reterr, -ENOMEM, "start a worker: Out of memory");
	h->worker.go_fd = -EBADF;
	r = victim_read_running(c->bus, params_text(c->params, "unit"), &h->victim, reterr);
	if (r < 0)
		return r;
	cgroup_fd = victim_open_cgroup(&h->victim, reterr);
	if (cgroup_fd < 0)
		return cgroup_fd;
	r = cgroup_read_key_at(cgroup_fd, "memory.events", "oom_kill", &h->kills_before);
	if (r < 0)
		return err_set(reterr, r, "read memory.events of '%s': %s", h->victim.unit,
			       strerror(-r));
	r = start_worker(c, h, cgroup_fd, reterr);
	if (r < 0)
		return r;
	s.pid = h->worker.pid;
	s.start_jiffies = h->worker.start_jiffies;
	r = c->record(c, &s, sizeof(s), reterr);
	if (r == 0)
		r = worker_go(&h->worker);
	return r;
}

static int effect(struct fault_context *c, struct err *reterr)
{
	const struct hog *h = c->priv;
	_cleanup_close_ int fd = victim_open_cgroup(&h->victim, NULL);
	struct victim now = { 0 };
	uint64_t kills = 0;
	int r = 0;

	if (fd >= 0 && cgroup_read_key_at(fd, "memory.events", "oom_kill", &kills) == 0 &&
	    kills > h->kills_before) {
		str_append(c->text, c->text_size, "the kernel killed for memory %" PRIu64 " times",
			   kills - h->kills_before);
		return 1;
	}
	r = victim_read(c->bus, h->victim.unit, &now, reterr);
	if (r < 0 || !str_equal(now.facts.result, "oom-kill"))
		return r;
	str_append(c->text, c->text_size, "the unit is %s (oom-kill)", now.facts.active_state);
	return 1;
}

static int active(struct fault_context *c, struct err *reterr)
{
	struct hog *h = c->priv;

	(void)reterr;
	if (h->worker.pid > 0 && waitpid(h->worker.pid, NULL, WNOHANG) == h->worker.pid)
		h->worker.pid = 0;
	return h->worker.pid > 0;
}

static int clear(const struct fault_context *c, const void *state, size_t size, struct err *reterr)
{
	_cleanup_close_ int proc_fd = fd_open_dir(AT_FDCWD, "/proc", reterr);
	const struct state *s = state;
	_cleanup_close_ int fd = -EBADF;
	int r;

	(void)c;
	if (proc_fd < 0)
		return proc_fd;
	if (size != sizeof(*s) || s->pid <= 1)
		return err_set(reterr, -EBADMSG, "end the worker: the undo state is malformed");
	fd = processfd_open(proc_fd, s->pid, s->start_jiffies);
	if (fd == -ESRCH)
		return 0;
	r = fd < 0 ? fd : processfd_send(fd, SIGKILL);
	if (r == -ESRCH)
		return 0;
	if (r == 0 && !processfd_wait_end(fd, KILL_WAIT_MS))
		r = -ETIMEDOUT;
	return r < 0 ? err_set(reterr, r, "end process %d: %s", s->pid, strerror(-r)) : 1;
}

static void release(struct fault_context *c)
{
	struct hog *h = c->priv;

	if (h)
		closep(&h->worker.go_fd);
	free(h);
	c->priv = NULL;
}

static const char *const actions[] = { "unit.start", "unit.restart", NULL };

const struct fault_ops fault_mem_hog = {
	.name = "mem.hog",
	.summary = "a process in a service's cgroup grows until the kernel kills for memory",
	.source = "kernel Documentation/admin-guide/cgroup-v2.rst, memory.max and memory.events",
	.params = params,
	.reverts = REVERTS_KERNEL,
	.expects = { .cause = "service-oom",
		     .actions = actions,
		     .effect = "the kernel kills in the unit's cgroup and systemd stops the unit" },
	.check = check,
	.inject = inject,
	.effect = effect,
	.active = active,
	.clear = clear,
	.release = release,
};
