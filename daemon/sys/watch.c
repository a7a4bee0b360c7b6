/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/watch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sys/cgroup.h"

int watch_new(int root_fd, struct watch **ret, struct err *reterr)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(reterr, -ENOMEM, "watch units: %s", strerror(ENOMEM));
	w->root_fd = root_fd;
	w->cgroup_fd = cgroup_open_root(root_fd, NULL);
	*ret = w;
	return 0;
}

static void close_units(struct watch_unit *units, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		closep(&units[i].cgroup_fd);
	free(units);
}

struct watch *watch_free(struct watch *w)
{
	if (!w)
		return NULL;
	close_units(w->units, w->n_units);
	closep(&w->cgroup_fd);
	free(w);
	return NULL;
}

int watch_set_units(struct watch *w, const char *const *names, size_t n_names, struct err *reterr)
{
	struct watch_unit *units = calloc(n_names ? n_names : 1, sizeof(*units));

	if (!units)
		return err_set(reterr, -ENOMEM, "watch units: %s", strerror(ENOMEM));
	for (size_t i = 0; i < n_names; i++) {
		struct watch_unit *old = watch_find(w, names[i]);

		if (old) {
			units[i] = *old;
			old->cgroup_fd = -EBADF;
			continue;
		}
		(void)str_copy(units[i].name, sizeof(units[i].name), names[i]);
		units[i].cgroup_fd = -EBADF;
	}
	close_units(w->units, w->n_units);
	w->units = units;
	w->n_units = (uint32_t)n_names;
	return 0;
}

struct watch_unit *watch_find(const struct watch *w, const char *name)
{
	for (uint32_t i = 0; i < w->n_units; i++)
		if (str_equal(w->units[i].name, name))
			return &w->units[i];
	return NULL;
}

struct watch_unit *watch_find_cgroup(const struct watch *w, uint64_t cgroup_id)
{
	for (uint32_t i = 0; cgroup_id && i < w->n_units; i++)
		if (w->units[i].cgroup_id == cgroup_id || w->units[i].last_cgroup_id == cgroup_id)
			return &w->units[i];
	return NULL;
}

/* systemd's own word for where the unit is, or its rule where it has not answered. */
static int open_unit(const struct watch *w, const char *unit, const char *control_group,
		     uint64_t *ret_id)
{
	char path[CGROUP_PATH_MAX] = "";
	int r;

	if (w->cgroup_fd < 0)
		return -EOPNOTSUPP;
	if (control_group && control_group[0])
		return cgroup_open(w->cgroup_fd, control_group, ret_id);
	r = cgroup_default_path(unit, path);
	return r < 0 ? r : cgroup_open(w->cgroup_fd, path, ret_id);
}

int watch_open_cgroup(const struct watch *w, const char *unit)
{
	const struct watch_unit *u = watch_find(w, unit);
	int fd = open_unit(w, unit, u ? u->status.control_group : NULL, NULL);
	char path[CGROUP_PATH_MAX] = "";

	/* A unit that is not managed may be in any slice. */
	if (fd == -ENOENT && !u && cgroup_find_unit(w->cgroup_fd, unit, path) == 0)
		fd = cgroup_open(w->cgroup_fd, path, NULL);
	return fd;
}

/* A cgroup that was removed has lost its files, whoever still holds it open. */
static bool is_alive(int fd)
{
	return fd >= 0 && faccessat(fd, "cgroup.procs", F_OK, 0) == 0;
}

int watch_refresh_cgroup(struct watch *w, struct watch_unit *u)
{
	uint64_t id = 0;
	int fd;

	if (is_alive(u->cgroup_fd))
		return 0;
	fd = open_unit(w, u->name, u->status.control_group, &id);
	if (fd < 0 && u->cgroup_fd < 0)
		return 0;
	closep(&u->cgroup_fd);
	u->cgroup_fd = fd < 0 ? -EBADF : fd;
	if (u->cgroup_id)
		u->last_cgroup_id = u->cgroup_id;
	u->cgroup_id = fd < 0 ? 0 : id;
	u->generation++;
	w->n_changes++;
	return 1;
}

void watch_add_exit(struct watch *w, const struct watch_exit *e)
{
	w->exits[w->n_exits++ % WATCH_EXITS_MAX] = *e;
}

const struct watch_exit *watch_recent_exit(const struct watch *w, uint32_t i)
{
	if (i >= w->n_exits || i >= WATCH_EXITS_MAX)
		return NULL;
	return &w->exits[(w->n_exits - 1 - i) % WATCH_EXITS_MAX];
}
