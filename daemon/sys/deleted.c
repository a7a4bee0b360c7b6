/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/deleted.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/cgroup.h"

#define PROCESSES_MAX 1024
#define BLOCK_BYTES   512 /* of st_blocks */

struct seen {
	size_t n;
	struct {
		dev_t device;
		ino_t inode;
	} v[DELETED_FILES_MAX];
	struct deleted count;
};

/* Memory that looks like a deleted file. Source: memfd_create(2), shmget(2), shm_overview(7). */
static bool is_memory(int dir_fd, const char *name)
{
	static const char *const prefixes[] = { "/memfd:", "/SYSV", "/dev/shm/", "/dev/zero" };
	char target[256] = "";

	if (readlinkat(dir_fd, name, target, sizeof(target) - 1) < 0)
		return true;
	for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
		if (strncmp(target, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static void add(struct seen *s, const struct stat *st)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].device == st->st_dev && s->v[i].inode == st->st_ino)
			return;
	if (s->n == ELEMENTSOF(s->v))
		return;
	s->v[s->n].device = st->st_dev;
	s->v[s->n++].inode = st->st_ino;
	s->count.n++;
	s->count.bytes += (uint64_t)st->st_blocks * BLOCK_BYTES;
}

/* Returns 0, also when the process is gone; -errno. */
static int look_at(int proc_fd, pid_t pid, struct seen *s)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char path[32] = "";
	int fd;

	str_append(path, sizeof(path), "%d/fd", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return -ENOMEM;
	}
	for (const struct dirent *e; (e = readdir(dir));) {
		struct stat st = { 0 };

		if (fstatat(fd, e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
		    st.st_nlink == 0 && !is_memory(fd, e->d_name))
			add(s, &st);
	}
	return 0;
}

int deleted_count(int cgroup_fd, int proc_fd, struct deleted *ret, struct err *reterr)
{
	_cleanup_free_ struct seen *s = calloc(1, sizeof(*s));
	_cleanup_free_ pid_t *pids = calloc(PROCESSES_MAX, sizeof(*pids));
	ssize_t n = s && pids ? cgroup_list_pids(cgroup_fd, pids, PROCESSES_MAX) : -ENOMEM;
	int r = 0;

	if (n < 0)
		return err_set(reterr, (int)n, "list processes: %s", strerror((int)-n));
	for (ssize_t i = 0; r == 0 && i < n; i++) {
		r = look_at(proc_fd, pids[i], s);
		if (r < 0)
			return err_set(reterr, r, "read files of process %d: %s", pids[i],
				       strerror(-r));
	}
	*ret = s->count;
	return 0;
}
