/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/cgroupwalk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"

static bool is_slice(const char *name)
{
	size_t n = strlen(name);

	return n > 6 && str_equal(name + n - 6, ".slice");
}

/* Takes fd. */
static int push(struct cgroup_walk *w, int fd, size_t path_length)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = -errno;

	if (!dir) {
		closep(&fd);
		return r;
	}
	w->levels[w->n_levels++] = (struct cgroup_level){ dir, path_length };
	return 0;
}

int cgroup_walk_begin(struct cgroup_walk *w, int cgroup_fd)
{
	memset(w, 0, sizeof(*w));
	return push(w, openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
}

void cgroup_walk_end(struct cgroup_walk *w)
{
	while (w->n_levels > 0)
		(void)closedir(w->levels[--w->n_levels].dir);
}

/* The next cgroup of this directory; control files are regular files. */
static const struct dirent *next_child(const struct cgroup_level *level)
{
	const struct dirent *d;

	while ((d = readdir(level->dir)))
		if (d->d_type == DT_DIR && d->d_name[0] != '.' &&
		    level->path_length + strlen(d->d_name) + 2 <= CGROUP_PATH_MAX)
			return d;
	return NULL;
}

enum cgroup_step cgroup_walk_next(struct cgroup_walk *w)
{
	const struct cgroup_level *level;
	const struct dirent *d;

	if (w->n_levels == 0)
		return CGROUP_STEP_END;
	level = &w->levels[w->n_levels - 1];
	d = next_child(level);
	w->path[level->path_length] = '\0';
	if (!d) {
		(void)closedir(w->levels[--w->n_levels].dir);
		return w->n_levels ? CGROUP_STEP_SLICE : CGROUP_STEP_END;
	}
	str_append(w->path, sizeof(w->path), "/%s", d->d_name);
	w->id = d->d_ino;
	if (!is_slice(d->d_name))
		return CGROUP_STEP_UNIT;
	if (w->n_levels < ELEMENTSOF(w->levels)) /* one that is gone again is no error */
		(void)push(w,
			   openat(dirfd(level->dir), d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			   strlen(w->path));
	return CGROUP_STEP_SLICE;
}

int cgroup_walk_read_key(const struct cgroup_walk *w, const char *file, const char *key,
			 uint64_t *ret)
{
	const struct cgroup_level *level = &w->levels[w->n_levels - 1];
	char path[NAME_MAX + 64] = "";

	str_append(path, sizeof(path), "%s/%s", w->path + level->path_length + 1, file);
	return cgroup_read_key_at(dirfd(level->dir), path, key, ret);
}
