/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/container.h"

#include <errno.h>
#include <inttypes.h>

#include "base/str.h"

#define POLL_NS \
	(250 * NS_PER_MS) /* of a health check, whose shortest interval is a second by default */

int container_open(int root_fd, const char *name, uint64_t deadline_ns, struct container *ret,
		   struct err *reterr)
{
	int r = docker_open(root_fd, deadline_ns, &ret->docker, reterr);

	return r < 0 ? r : docker_find(&ret->docker, name, &ret->facts, reterr);
}

int container_refresh(struct container *c, struct err *reterr)
{
	char id[DOCKER_ID_MAX] = "";
	int r = str_copy(id, sizeof(id), c->facts.id);

	if (r == 0)
		r = docker_inspect(&c->docker, id, &c->facts, reterr);
	if (r == -ENOENT)
		return err_set(reterr, -ESTALE, "ask Docker: it was removed meanwhile");
	return r;
}

int container_open_id(int root_fd, const char *id, uint64_t deadline_ns, struct container *ret,
		      struct err *reterr)
{
	int r = docker_open(root_fd, deadline_ns, &ret->docker, reterr);

	if (r == 0)
		r = str_copy(ret->facts.id, sizeof(ret->facts.id), id);
	return r < 0 ? r : container_refresh(ret, reterr);
}

struct container_run container_get_run(const struct container *c)
{
	struct container_run run = { 0 };

	(void)str_copy(run.id, sizeof(run.id), c->facts.id);
	(void)str_copy(run.started_at, sizeof(run.started_at), c->facts.started_at);
	return run;
}

bool container_is_run(const struct container *c, const struct container_run *run)
{
	return str_equal(c->facts.id, run->id) && str_equal(c->facts.started_at, run->started_at);
}

int container_check_settled(const struct docker_facts *f, struct err *reterr)
{
	switch (f->state) {
	case DOCKER_STATE_CREATED:
	case DOCKER_STATE_RUNNING:
	case DOCKER_STATE_PAUSED:
	case DOCKER_STATE_EXITED:
		return 0;
	case DOCKER_STATE_RESTARTING:
		return err_set(reterr, -EBUSY, "Docker is about to start it again itself");
	case DOCKER_STATE_REMOVING:
	case DOCKER_STATE_DEAD:
		return err_set(reterr, -EPERM, "it is being removed");
	case _DOCKER_STATE_MAX:
		break;
	}
	return err_set(reterr, -EPERM, "its state is not known");
}

int container_check_hands_off(const struct container *c, struct err *reterr)
{
	int r;

	if (c->facts.state == DOCKER_STATE_PAUSED)
		return err_set(reterr, -EPERM, "somebody paused it");
	if (c->facts.state == DOCKER_STATE_CREATED && !c->facts.has_error)
		return err_set(reterr, -EPERM, "nobody has ever started it");
	if (docker_facts_is_at_rest(&c->facts))
		return err_set(reterr, -EPERM, "it was stopped in order");
	if (c->facts.state != DOCKER_STATE_EXITED)
		return 0;
	r = docker_was_stopped(&c->docker, &c->facts, reterr);
	return r > 0 ? err_set(reterr, -EPERM, "somebody stopped it through Docker") : r;
}

/* Returns 1: it is as wanted; 0: not yet; -errno. */
static int judge_started(const struct docker_facts *f, struct err *reterr)
{
	if (f->state == DOCKER_STATE_EXITED && f->exit_code == 0 && !f->has_error)
		return 1;
	if (f->state != DOCKER_STATE_RUNNING)
		return err_set(reterr, -EIO, "it is %s with exit code %" PRId64 "%s",
			       docker_state_to_string(f->state), f->exit_code,
			       f->is_oom_killed ? ", killed for want of memory" : "");
	switch (f->health) {
	case DOCKER_HEALTH_NONE:
	case DOCKER_HEALTH_HEALTHY:
		return 1;
	case DOCKER_HEALTH_STARTING:
		return 0;
	case DOCKER_HEALTH_UNHEALTHY:
	case _DOCKER_HEALTH_MAX:
		break;
	}
	return err_set(reterr, -EIO, "its health check says that it is unhealthy");
}

int container_wait_started(struct container *c, const struct container_run *before,
			   struct err *reterr)
{
	if (container_is_run(c, before))
		return err_set(reterr, -ENOENT, "it was not started");
	for (;;) {
		int r = judge_started(&c->facts, reterr);

		if (r != 0)
			return r < 0 ? r : 0;
		if (clock_boot_ns() >= c->docker.deadline_ns)
			return err_set(reterr, -ETIMEDOUT,
				       "its health check has not come to an end");
		clock_sleep_ns(POLL_NS);
		r = container_refresh(c, reterr);
		if (r < 0)
			return r;
	}
}
