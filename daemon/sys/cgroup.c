/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/cgroupwalk.h"

int cgroup_open_root(int root_fd, struct err *reterr)
{
	static const char *const places[] = { "sys/fs/cgroup", "sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ELEMENTSOF(places); i++) {
		_cleanup_close_ int fd = fd_open_dir(root_fd, places[i], NULL);

		/* Every v2 cgroup has it, and no v1 one. */
		if (fd >= 0 && faccessat(fd, "cgroup.procs", F_OK, 0) == 0 &&
		    faccessat(fd, "cgroup.controllers", F_OK, 0) == 0)
			return TAKE_FD(fd);
	}
	return err_set(reterr, -EOPNOTSUPP, "open cgroups '/sys/fs/cgroup': no version 2 there");
}

int cgroup_open(int cgroup_fd, const char *path, uint64_t *ret_id)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st = { 0 };

	while (*path == '/')
		path++;
	if (strncmp(path, "../", 3) == 0 || strstr(path, "/../"))
		return -EINVAL;
	fd = openat(cgroup_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (ret_id)
		*ret_id = st.st_ino;
	return TAKE_FD(fd);
}

/* systemd puts '_' before a name that could be taken for a control file. */
static bool is_unit(const char *component, size_t length, char ret[static ENTITY_NAME_MAX])
{
	if (length > 0 && component[0] == '_') {
		component++;
		length--;
	}
	if (length == 0 || length >= ENTITY_NAME_MAX)
		return false;
	memcpy(ret, component, length);
	ret[length] = '\0';
	return str_is_unit_name(ret);
}

static bool is_slice(const char *name)
{
	size_t n = strlen(name);

	return n > 6 && str_equal(name + n - 6, ".slice");
}

int cgroup_unit_from_path(const char *path, char ret[static ENTITY_NAME_MAX])
{
	char unit[ENTITY_NAME_MAX] = "";
	bool found = false;

	while (*path) {
		size_t n = strcspn(path, "/");

		if (is_unit(path, n, unit)) {
			found = true;
			(void)str_copy(ret, ENTITY_NAME_MAX, unit);
			if (!is_slice(unit))
				return 0;
		}
		path += n;
		path += *path == '/';
	}
	return found ? 0 : -ENXIO;
}

bool cgroup_is_container(const char *path)
{
	static const char *const patterns[] = {
		"machine.slice",
		"machine-*.s*",
		"systemd-nspawn@*.service", /* machined, libvirt */
		"docker-*.scope",
		"docker",
		"nerdctl-*.scope",
		"libpod*",
		"lxc",
		"lxc.payload*",
		"kubepods*",
		"crio-*.scope",
		"cri-containerd-*.scope",
	};
	char name[NAME_MAX + 1] = "";

	while (*path) {
		size_t n = strcspn(path, "/");

		name[0] = '\0';
		str_append(name, n < sizeof(name) ? n + 1 : sizeof(name), "%s", path);
		for (size_t i = 0; i < ELEMENTSOF(patterns); i++)
			if (fnmatch(patterns[i], name, FNM_NOESCAPE) == 0)
				return true;
		path += n;
		path += *path == '/';
	}
	return false;
}

int cgroup_default_path(const char *unit, char ret[static CGROUP_PATH_MAX])
{
	const char *at = strchr(unit, '@');

	if (strlen(unit) >= ENTITY_NAME_MAX)
		return -ENAMETOOLONG;
	ret[0] = '\0';
	str_append(ret, CGROUP_PATH_MAX, "system.slice/");
	if (at) {
		str_append(ret, CGROUP_PATH_MAX, "system-");
		str_append(ret, strlen(ret) + (size_t)(at - unit) + 1, "%s", unit);
		str_append(ret, CGROUP_PATH_MAX, ".slice/");
	}
	str_append(ret, CGROUP_PATH_MAX, "%s", unit);
	return strlen(ret) + 1 == CGROUP_PATH_MAX ? -ENAMETOOLONG : 0;
}

static ssize_t read_text(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

static int parse_u64(const char *s, uint64_t *ret)
{
	char *end = NULL;

	if (strncmp(s, "max", 3) == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	errno = 0;
	*ret = strtoull(s, &end, 10);
	return end == s || errno ? -EBADMSG : 0;
}

int cgroup_read_u64(int fd, uint64_t *ret)
{
	char buf[32] = "";
	ssize_t n = read_text(fd, buf, sizeof(buf));

	return n < 0 ? (int)n : parse_u64(buf, ret);
}

static const char *next_line(const char *p)
{
	p = strchr(p, '\n');
	return p ? p + 1 : NULL;
}

/* The value of "KEY VALUE" at the beginning of a line. */
static int find_key(const char *text, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);

	for (const char *p = text; p; p = next_line(p))
		if (strncmp(p, key, n) == 0 && p[n] == ' ')
			return parse_u64(p + n + 1, ret);
	return -ENODATA;
}

int cgroup_read_key(int fd, const char *key, uint64_t *ret)
{
	char buf[4096] = "";
	ssize_t n = read_text(fd, buf, sizeof(buf));

	return n < 0 ? (int)n : find_key(buf, key, ret);
}

static uint64_t sum_field(const char *text, const char *field)
{
	uint64_t sum = 0, v = 0;

	for (const char *p = strstr(text, field); p; p = strstr(p, field)) {
		p += strlen(field);
		if (parse_u64(p, &v) == 0)
			sum += v;
	}
	return sum;
}

int cgroup_read_io_bytes(int fd, uint64_t *ret_read_bytes, uint64_t *ret_write_bytes)
{
	char buf[4096] = "";
	ssize_t n = read_text(fd, buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	*ret_read_bytes = sum_field(buf, " rbytes=");
	*ret_write_bytes = sum_field(buf, " wbytes=");
	return 0;
}

int cgroup_read_key_at(int dir_fd, const char *file, const char *key, uint64_t *ret)
{
	_cleanup_close_ int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : cgroup_read_key(fd, key, ret);
}

struct pid_list {
	pid_t *v;
	size_t n, max, n_cgroups;
};

/* Whole lines only. Returns how many bytes of text they were. */
static size_t parse_pids(const char *text, struct pid_list *list)
{
	const char *p = text, *end;

	for (; list->n < list->max && (end = strchr(p, '\n')); p = end + 1) {
		unsigned long pid = strtoul(p, NULL, 10);

		if (pid > 0 && pid <= INT_MAX)
			list->v[list->n++] = (pid_t)pid;
	}
	return (size_t)(p - text);
}

/* Returns 0; -errno. */
static int read_pids(int dir_fd, struct pid_list *list)
{
	_cleanup_close_ int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	char buf[4096] = "";
	size_t used = 0;

	if (fd < 0)
		return -errno;
	while (list->n < list->max) {
		ssize_t n = read(fd, buf + used, sizeof(buf) - 1 - used);
		size_t taken;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		used += (size_t)n;
		buf[used] = '\0';
		taken = parse_pids(buf, list);
		used -= taken;
		memmove(buf, buf + taken, used);
	}
	return 0;
}

/* Is this entry a cgroup below? Control files are regular files. */
static bool is_child(const struct dirent *d)
{
	return d->d_type == DT_DIR && d->d_name[0] != '.';
}

static int list_pids_below(int dir_fd, unsigned depth, struct pid_list *list)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_close_ int fd = -EBADF;
	const struct dirent *d;
	int r = read_pids(dir_fd, list);

	list->n_cgroups++;
	/* EOPNOTSUPP: a threaded cgroup; its processes are listed in its parent. */
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -errno;
	(void)TAKE_FD(fd);
	while (depth < CGROUP_DEPTH_MAX && list->n < list->max &&
	       list->n_cgroups < CGROUP_BELOW_MAX && (d = readdir(dir))) {
		_cleanup_close_ int child = -EBADF;

		if (!is_child(d))
			continue;
		child = openat(dir_fd, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (child >= 0)
			(void)list_pids_below(child, depth + 1, list);
	}
	return 0;
}

ssize_t cgroup_list_pids(int dir_fd, pid_t *ret, size_t max)
{
	struct pid_list list = { .v = ret, .max = max };
	int r = list_pids_below(dir_fd, 0, &list);

	return r < 0 ? r : (ssize_t)list.n;
}

int cgroup_find_unit(int cgroup_fd, const char *unit, char ret[static CGROUP_PATH_MAX])
{
	struct cgroup_walk w;
	char name[ENTITY_NAME_MAX] = "";
	enum cgroup_step step;
	int r = cgroup_walk_begin(&w, cgroup_fd);

	if (r < 0)
		return -ENOENT;
	do {
		step = cgroup_walk_next(&w);
		if (step == CGROUP_STEP_UNIT && cgroup_unit_from_path(w.path, name) == 0 &&
		    str_equal(name, unit))
			break;
	} while (step != CGROUP_STEP_END);
	cgroup_walk_end(&w);
	return step == CGROUP_STEP_END ? -ENOENT : str_copy(ret, CGROUP_PATH_MAX, w.path);
}
