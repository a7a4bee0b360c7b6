/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/victim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/cgroup.h"

static bool is_service(const char *unit)
{
	const char *dot = strrchr(unit, '.');

	return dot && str_equal(dot, ".service");
}

static int open_cgroup(const char *path, uint64_t *ret_id)
{
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, "/", NULL);
	_cleanup_close_ int top_fd = root_fd < 0 ? -EBADF : cgroup_open_root(root_fd, NULL);

	return top_fd < 0 ? -EOPNOTSUPP : cgroup_open(top_fd, path, ret_id);
}

int victim_read(void *bus, const char *unit, struct victim *ret, struct err *reterr)
{
	_cleanup_close_ int fd = -EBADF;
	struct victim v = { 0 };
	int r;

	if (!is_service(unit) || str_copy(v.unit, sizeof(v.unit), unit) < 0)
		return err_set(reterr, -EINVAL, "read unit '%s': expected a service", unit);
	r = unitctl_read(bus, unit, &v.facts, reterr);
	if (r < 0)
		return r;
	if (str_equal(v.facts.load_state, "not-found"))
		return err_set(reterr, -ENOENT, "read unit '%s': there is no such unit", unit);
	if (v.facts.control_group[0])
		fd = open_cgroup(v.facts.control_group, &v.cgroup_id);
	if (fd < 0)
		v.cgroup_id = 0;
	*ret = v;
	return 0;
}

int victim_read_running(void *bus, const char *unit, struct victim *ret, struct err *reterr)
{
	struct victim v = { 0 };
	int r = victim_read(bus, unit, &v, reterr);

	if (r < 0)
		return r;
	if (!unit_facts_is_active(&v.facts) || v.cgroup_id == 0)
		return err_set(reterr, -ESRCH, "unit '%s' is %s: only a running one can be broken",
			       unit, v.facts.active_state);
	*ret = v;
	return 0;
}

int victim_open_cgroup(const struct victim *v, struct err *reterr)
{
	const char *path = v->facts.control_group;
	uint64_t id = 0;
	_cleanup_close_ int fd = open_cgroup(path, &id);

	if (fd < 0)
		return err_set(reterr, fd, "open cgroup '%s': %s", path, strerror(-fd));
	if (id != v->cgroup_id)
		return err_set(reterr, -ENOENT, "open cgroup '%s': it was made anew", path);
	return TAKE_FD(fd);
}
