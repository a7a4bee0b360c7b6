/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/victim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#define SYSTEMD_NAME      "org.freedesktop.systemd1"
#define SYSTEMD_UNIT      "org.freedesktop.systemd1.Unit"
#define SYSTEMD_SERVICE   "org.freedesktop.systemd1.Service"
#define CALL_TIMEOUT_USEC (5 * US_PER_S) /* sd-bus waits 25 s by default */

static void sd_bus_close_unref_p(sd_bus **bus)
{
	(void)sd_bus_close_unref(*bus);
}

int victim_open_bus(void **ret_bus, struct err *reterr)
{
	_cleanup_(sd_bus_close_unref_p) sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, CALL_TIMEOUT_USEC);
	if (r < 0)
		return err_set(reterr, r, "connect to the system bus: %s", strerror(-r));
	*ret_bus = TAKE_PTR(bus);
	return 0;
}

struct place {
	sd_bus *bus;
	const char *path;
};

static int get_string(const struct place *at, const char *interface, const char *name, char *ret,
		      size_t size)
{
	_cleanup_free_ char *s = NULL;
	int r = sd_bus_get_property_string(at->bus, SYSTEMD_NAME, at->path, interface, name, NULL,
					   &s);

	return r < 0 ? r : str_copy(ret, size, s);
}

static int get_main_pid(const struct place *at, pid_t *ret)
{
	uint32_t pid = 0;
	int r = sd_bus_get_property_trivial(at->bus, SYSTEMD_NAME, at->path, SYSTEMD_SERVICE,
					    "MainPID", NULL, 'u', &pid);

	*ret = (pid_t)pid;
	return r;
}

static int get_is_transient(const struct place *at, bool *ret)
{
	int v = 0;
	int r = sd_bus_get_property_trivial(at->bus, SYSTEMD_NAME, at->path, SYSTEMD_UNIT,
					    "Transient", NULL, 'b', &v);

	*ret = v != 0;
	return r;
}

static int read_all(const struct place *at, struct victim *v, char *load_state, size_t size)
{
	int r = get_string(at, SYSTEMD_UNIT, "LoadState", load_state, size);

	if (r >= 0)
		r = get_string(at, SYSTEMD_UNIT, "ActiveState", v->active_state,
			       sizeof(v->active_state));
	if (r >= 0)
		r = get_string(at, SYSTEMD_SERVICE, "Result", v->result, sizeof(v->result));
	if (r >= 0)
		r = get_string(at, SYSTEMD_SERVICE, "ControlGroup", v->cgroup, sizeof(v->cgroup));
	if (r >= 0)
		r = get_main_pid(at, &v->main_pid);
	return r >= 0 ? get_is_transient(at, &v->is_transient) : r;
}

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

/* The id stays 0 where the cgroup has gone since. */
static void read_cgroup_id(struct victim *v)
{
	_cleanup_close_ int fd = v->cgroup[0] ? open_cgroup(v->cgroup, &v->cgroup_id) : -EBADF;

	if (fd < 0)
		v->cgroup_id = 0;
}

int victim_read(void *bus, const char *unit, struct victim *ret, struct err *reterr)
{
	_cleanup_free_ char *path = NULL;
	struct victim v = { 0 };
	char load_state[32] = "";
	int r;

	if (!is_service(unit) || str_copy(v.unit, sizeof(v.unit), unit) < 0)
		return err_set(reterr, -EINVAL, "read unit '%s': expected a service", unit);
	r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path);
	if (r < 0)
		return err_set(reterr, r, "read unit '%s': %s", unit, strerror(-r));
	r = read_all(&(struct place){ bus, path }, &v, load_state, sizeof(load_state));
	if (r < 0)
		return err_set(reterr, r, "read unit '%s': %s", unit, strerror(-r));
	if (str_equal(load_state, "not-found"))
		return err_set(reterr, -ENOENT, "read unit '%s': there is no such unit", unit);
	read_cgroup_id(&v);
	*ret = v;
	return 0;
}

bool victim_is_running(const struct victim *v)
{
	return str_equal(v->active_state, "active") || str_equal(v->active_state, "reloading");
}

int victim_read_running(void *bus, const char *unit, struct victim *ret, struct err *reterr)
{
	struct victim v = { 0 };
	int r = victim_read(bus, unit, &v, reterr);

	if (r < 0)
		return r;
	if (!victim_is_running(&v) || v.cgroup_id == 0)
		return err_set(reterr, -ESRCH, "unit '%s' is %s: only a running one can be broken",
			       unit, v.active_state);
	*ret = v;
	return 0;
}

int victim_open_cgroup(const struct victim *v, struct err *reterr)
{
	uint64_t id = 0;
	_cleanup_close_ int fd = open_cgroup(v->cgroup, &id);

	if (fd < 0)
		return err_set(reterr, fd, "open cgroup '%s': %s", v->cgroup, strerror(-fd));
	if (id != v->cgroup_id)
		return err_set(reterr, -ENOENT, "open cgroup '%s': it was made anew", v->cgroup);
	return TAKE_FD(fd);
}
