/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "sys/container.h"
#include "sys/endpoint.h"
#include "sys/goodstore.h"
#include "sys/unitctl.h"

#define DOCKER_MAX_NS (10 * NS_PER_S)

static int not_now(const struct service *s, const char *reason, struct err *reterr)
{
	return err_set(reterr, -EAGAIN, "keep files of '%s': %s", s->name, reason);
}

/* Since when it runs with what it read then, in microseconds. Returns 0; -EAGAIN; -errno. */
static int read_unit_age(void *bus, const struct service *s, uint64_t *ret_us, struct err *reterr)
{
	uint64_t now_us = clock_mono_us();
	struct unit_facts f;
	int r = unitctl_read(bus, s->unit, &f, reterr);

	if (r < 0)
		return r;
	if (!str_equal(f.active_state, "active"))
		return not_now(s, "its unit is not active", reterr);
	*ret_us = now_us > f.state_change_mono_us ? now_us - f.state_change_mono_us : 0;
	return 0;
}

static int read_container_age(int root_fd, const struct service *s, uint64_t *ret_us,
			      struct err *reterr)
{
	uint64_t now_us = clock_wall_us(), began_us;
	struct container c;
	struct tm tm = { 0 };
	int r = container_open(root_fd, s->container, clock_boot_ns() + DOCKER_MAX_NS, &c, reterr);

	if (r < 0)
		return r;
	if (c.facts.state != DOCKER_STATE_RUNNING ||
	    !strptime(c.facts.started_at, "%Y-%m-%dT%H:%M:%S", &tm))
		return not_now(s, "its container does not run", reterr);
	began_us = (uint64_t)timegm(&tm) * US_PER_S;
	*ret_us = now_us > began_us ? now_us - began_us : 0;
	return 0;
}

static int check_well(int root_fd, void *bus, const struct service *s, int64_t *ret_since_wall_s,
		      struct err *reterr)
{
	uint32_t all = (uint32_t)((UINT64_C(1) << s->n_endpoints) - 1);
	uint64_t age_us = 0;
	int r = s->unit[0] ? read_unit_age(bus, s, &age_us, reterr) :
			     read_container_age(root_fd, s, &age_us, reterr);

	if (r < 0)
		return r;
	if (age_us < GOODSTORE_WELL_S * US_PER_S)
		return not_now(s, "it has not run for ten minutes", reterr);
	if (endpoint_ask_all(s) != all)
		return not_now(s, "an endpoint of it is not good", reterr);
	*ret_since_wall_s = (int64_t)((clock_wall_us() - age_us) / US_PER_S);
	return 0;
}

int goodstore_keep_service(int root_fd, void *bus, const struct service *s, struct err *reterr)
{
	char sha256[SHA256_HEX_MAX];
	int64_t since_wall_s = 0, changed_wall_s = 0;
	int n = 0, r;

	if (s->tracked_files.n == 0)
		return err_set(reterr, -EOPNOTSUPP, "keep files of '%s': it has no tracked_files",
			       s->name);
	r = check_well(root_fd, bus, s, &since_wall_s, reterr);
	for (uint32_t i = 0; r == 0 && i < s->tracked_files.n; i++) {
		const char *path = s->tracked_files.v[i];

		r = goodstore_look(root_fd, path, sha256, &changed_wall_s, reterr);
		if (r == 0 && changed_wall_s >= since_wall_s)
			r = err_set(reterr, -EAGAIN,
				    "keep file '%s': it changed after '%s' was last started or "
				    "reloaded",
				    path, s->name);
	}
	for (uint32_t i = 0; r >= 0 && i < s->tracked_files.n; i++) {
		r = goodstore_keep(root_fd, s->name, s->tracked_files.v[i], reterr);
		n += r > 0;
	}
	return r < 0 ? r : n;
}
