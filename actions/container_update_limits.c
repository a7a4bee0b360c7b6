/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "ops/action.h"
#include "sys/container.h"

#define TIMEOUT_MS        30000
#define SETTLE_MS         100
#define MIB               (INT64_C(1) << 20)
#define MEMORY_MAX_MIB    (INT64_C(16) << 20) /* 16 TiB: more than any host has */
#define PIDS_MAX          4194304             /* PID_MAX_LIMIT. Source: proc(5), pid_max */
#define CPU_MAX_PCT       102400              /* 1024 CPUs */
#define PERIOD_DEFAULT_US 100000 /* the kernel's. Source: kernel cgroup-v2.rst, cpu.max */
#define NANO_PER_PCT      INT64_C(10000000)

static const struct param_spec params[] = {
	{ .name = "container", .type = PARAM_TYPE_CONTAINER, .help = "container to limit" },
	{ .name = "memory_mib",
	  .type = PARAM_TYPE_INTEGER,
	  .unit = "MiB",
	  .min = 0,
	  .max = MEMORY_MAX_MIB,
	  .default_text = "0",
	  .help = "memory it may have, at least 6; 0 leaves it as it is" },
	{ .name = "quota_pct",
	  .type = PARAM_TYPE_INTEGER,
	  .unit = "pct",
	  .min = 0,
	  .max = CPU_MAX_PCT,
	  .default_text = "0",
	  .help = "CPU time it may have, 100 is one whole CPU; 0 leaves it as it is" },
	{ .name = "pids",
	  .type = PARAM_TYPE_INTEGER,
	  .min = 0,
	  .max = PIDS_MAX,
	  .default_text = "0",
	  .help = "processes and threads it may have; 0 leaves that as it is" },
	{ .name = NULL },
};

/* Of the container with this id: what it had, and what we gave it. */
struct undo {
	char id[DOCKER_ID_MAX];
	struct docker_limits before, after;
};

/* How Docker says "no limit", whichever of its ways, as 0. */
static struct docker_limits plain(struct docker_limits l)
{
	if (l.memory_bytes >= DOCKER_MEMORY_NONE)
		l.memory_bytes = 0;
	if (l.memory_bytes == 0 || l.memory_swap_bytes < 0)
		l.memory_swap_bytes = 0;
	if (l.cpu_quota_us < 0)
		l.cpu_quota_us = 0;
	if (l.cpu_period_us == PERIOD_DEFAULT_US)
		l.cpu_period_us = 0;
	if (l.pids < 0)
		l.pids = 0;
	return l;
}

static bool are_equal(struct docker_limits a, struct docker_limits b)
{
	a = plain(a);
	b = plain(b);
	return a.memory_bytes == b.memory_bytes && a.memory_swap_bytes == b.memory_swap_bytes &&
	       a.nano_cpus == b.nano_cpus && a.cpu_quota_us == b.cpu_quota_us &&
	       a.cpu_period_us == b.cpu_period_us && a.pids == b.pids;
}

/* What the container has with the parameters applied. As much swap beside its memory as before. */
static struct docker_limits wanted(const struct action_context *c, const struct docker_limits *now)
{
	int64_t memory_bytes = params_integer(c->params, "memory_mib") * MIB;
	int64_t quota_pct = params_integer(c->params, "quota_pct");
	int64_t pids = params_integer(c->params, "pids");
	int64_t period_us = now->cpu_period_us ? now->cpu_period_us : PERIOD_DEFAULT_US;
	struct docker_limits l = plain(*now);

	if (memory_bytes > 0) {
		bool has_both = l.memory_bytes > 0 && l.memory_swap_bytes >= l.memory_bytes;

		l.memory_swap_bytes = has_both ?
					      l.memory_swap_bytes - l.memory_bytes + memory_bytes :
					      -1;
		l.memory_bytes = memory_bytes;
	}
	if (quota_pct > 0 && l.nano_cpus > 0) /* Docker takes only the one that is there */
		l.nano_cpus = quota_pct * NANO_PER_PCT;
	else if (quota_pct > 0)
		l.cpu_quota_us = period_us * quota_pct / 100;
	if (pids > 0)
		l.pids = pids;
	return l;
}

/* What to ask of Docker, which takes 0 for "unchanged", to come from one to the other. */
static struct docker_limits difference(struct docker_limits from, struct docker_limits to)
{
	struct docker_limits d = { 0 };

	from = plain(from);
	to = plain(to);
	if (from.memory_bytes != to.memory_bytes ||
	    from.memory_swap_bytes != to.memory_swap_bytes) {
		d.memory_bytes = to.memory_bytes ? to.memory_bytes : DOCKER_MEMORY_NONE;
		d.memory_swap_bytes = to.memory_swap_bytes ? to.memory_swap_bytes : -1;
	}
	if (from.nano_cpus != to.nano_cpus)
		d.nano_cpus = to.nano_cpus;
	if (from.cpu_quota_us != to.cpu_quota_us)
		d.cpu_quota_us = to.cpu_quota_us ? to.cpu_quota_us : -1;
	if (from.pids != to.pids)
		d.pids = to.pids ? to.pids : -1;
	return d;
}

/* Less than it uses now would be a kill, not a limit. */
static int check_usage(const struct container *container, const struct docker_limits *to,
		       struct err *reterr)
{
	const struct docker_limits *now = &container->facts.limits;
	struct docker_usage used = { 0 };
	int r = docker_read_usage(&container->docker, container->facts.id, &used, reterr);

	if (r < 0)
		return r;
	if (to->memory_bytes > 0 && to->memory_bytes != now->memory_bytes &&
	    (uint64_t)to->memory_bytes < used.memory_bytes)
		return err_set(reterr, -EPERM,
			       "it uses %" PRIu64 " MiB of memory now, more than %" PRId64 " MiB",
			       used.memory_bytes / (uint64_t)MIB, to->memory_bytes / MIB);
	if (to->pids > 0 && to->pids != now->pids && (uint64_t)to->pids < used.pids)
		return err_set(reterr, -EPERM,
			       "it has %" PRIu64 " processes now, more than %" PRId64, used.pids,
			       to->pids);
	return 0;
}

static int check_numbers(const struct action_context *c, struct err *reterr)
{
	int64_t memory_mib = params_integer(c->params, "memory_mib");

	if (memory_mib == 0 && params_integer(c->params, "quota_pct") == 0 &&
	    params_integer(c->params, "pids") == 0)
		return err_set(reterr, -EINVAL,
			       "neither memory_mib nor quota_pct nor pids is given");
	if (memory_mib > 0 && memory_mib * MIB < DOCKER_MEMORY_MIN)
		return err_set(reterr, -EINVAL, "Docker allows no less than %" PRId64 " MiB",
			       DOCKER_MEMORY_MIN / MIB);
	return 0;
}

static int open_and_check(const struct action_context *c, struct container *container,
			  struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct docker_limits to;
	int r = check_numbers(c, reterr);

	if (r == 0)
		r = container_open(c->root_fd, name, c->deadline_ns, container, reterr);
	if (r == 0)
		r = container_check_settled(&container->facts, reterr);
	if (r < 0)
		return r;
	to = wanted(c, &container->facts.limits);
	if (are_equal(to, container->facts.limits))
		return 1;
	return check_usage(container, &to, reterr);
}

static int check(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	int r = open_and_check(c, &container, reterr);

	if (r > 0)
		str_append(c->text, c->text_size, "'%s' has those limits already", name);
	return r < 0 ? err_wrap(reterr, r, "limit container '%s'", name) : r;
}

static int snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct container container;
	struct undo u = { 0 };
	int r = container_open(c->root_fd, name, c->deadline_ns, &container, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "limit container '%s'", name);
	(void)str_copy(u.id, sizeof(u.id), container.facts.id);
	u.before = container.facts.limits;
	u.after = wanted(c, &u.before);
	memcpy(undo, &u, sizeof(u));
	return sizeof(u);
}

static void tell(const struct action_context *c, const char *verb)
{
	static const struct {
		const char *param, *unit;
	} parts[] = {
		{ "memory_mib", "MiB of memory" },
		{ "quota_pct", "% of one CPU" },
		{ "pids", "processes" },
	};
	const char *separator = " to ";

	str_append(c->text, c->text_size, "%s '%s'", verb, params_text(c->params, "container"));
	for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
		if (params_integer(c->params, parts[i].param) == 0)
			continue;
		str_append(c->text, c->text_size, "%s%s %s", separator,
			   params_text(c->params, parts[i].param), parts[i].unit);
		separator = ", ";
	}
}

static int apply(const struct action_context *c, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct docker_limits change;
	struct container container;
	struct undo u;
	int r;

	if (c->dry_run) {
		tell(c, "would limit");
		return 0;
	}
	memcpy(&u, c->undo, sizeof(u));
	change = difference(u.before, u.after);
	r = container_open_id(c->root_fd, u.id, c->deadline_ns, &container, reterr);
	if (r == 0)
		r = docker_do(&container.docker, DOCKER_VERB_UPDATE, u.id, &change, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "limit container '%s'", name);
	tell(c, "limited");
	return 0;
}

/* Docker's word, and of one that runs the kernel's, too. */
static int verify_limits(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	struct docker_limits after = plain(u->after);
	struct docker_usage used = { 0 };
	struct container container;
	int r = container_open_id(c->root_fd, u->id, c->deadline_ns, &container, reterr);

	if (r == 0 && !are_equal(container.facts.limits, u->after))
		r = err_set(reterr, -EIO, "Docker has other numbers");
	if (r < 0 || container.facts.state != DOCKER_STATE_RUNNING)
		return r;
	r = docker_read_usage(&container.docker, u->id, &used, reterr);
	if (r == 0 && after.memory_bytes > 0 && used.memory_max_bytes > 0 &&
	    used.memory_max_bytes > (uint64_t)after.memory_bytes)
		r = err_set(reterr, -EIO, "the kernel allows it %" PRIu64 " bytes of memory",
			    used.memory_max_bytes);
	if (r == 0 && after.pids > 0 && used.pids_max != (uint64_t)after.pids)
		r = err_set(reterr, -EIO, "the kernel allows it %" PRIu64 " processes",
			    used.pids_max);
	return r;
}

static int verify(const struct action_context *c, struct err *reterr)
{
	struct undo u;
	int r;

	memcpy(&u, c->undo, sizeof(u));
	r = verify_limits(c, &u, reterr);
	return r < 0 ? err_wrap(reterr, r, "verify limits of container '%s'",
				params_text(c->params, "container")) :
		       0;
}

static int put_back(const struct action_context *c, const struct undo *u, struct err *reterr)
{
	const char *name = params_text(c->params, "container");
	struct docker_limits change = difference(u->after, u->before);
	struct container container;
	int r = container_open_id(c->root_fd, u->id, c->deadline_ns, &container, reterr);

	if (r < 0)
		return r;
	if (are_equal(container.facts.limits, u->before)) {
		str_append(c->text, c->text_size, "'%s' has the limits it had", name);
		return 0;
	}
	if (!are_equal(container.facts.limits, u->after))
		return err_set(reterr, -ECANCELED, "somebody set others since, left alone");
	r = docker_do(&container.docker, DOCKER_VERB_UPDATE, u->id, &change, reterr);
	if (r == 0)
		r = container_refresh(&container, reterr);
	if (r == 0 && !are_equal(container.facts.limits, u->before))
		r = err_set(reterr, -EIO, "Docker has other numbers");
	if (r == 0)
		str_append(c->text, c->text_size, "gave '%s' its old limits back", name);
	return r;
}

static int revert(const struct action_context *c, const void *undo, size_t undo_size,
		  struct err *reterr)
{
	struct undo u;
	int r;

	if (undo_size != sizeof(u))
		r = err_set(reterr, -EBADMSG, "bad undo record");
	else
		r = put_back(c, memcpy(&u, undo, sizeof(u)), reterr);
	return r < 0 ? err_wrap(reterr, r, "undo limits of container '%s'",
				params_text(c->params, "container")) :
		       0;
}

const struct action_ops action_container_update_limits = {
	.name = "container.update_limits",
	.summary = "limit a container's memory, CPU time and processes",
	.source = "Docker Engine API, POST /containers/ID/update",
	.params = params,
	.target = "container",
	.risk = RISK_REVERSIBLE,
	.undo = "gives the container its old limits back",
	.idempotent = true,
	.timeout_ms = TIMEOUT_MS,
	.settle_ms = SETTLE_MS,
	.cooldown_ms = 10000,
	.check = check,
	.snapshot = snapshot,
	.apply = apply,
	.verify = verify,
	.revert = revert,
};
