/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/sys.a */
#include <assert.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/cgroup.h"
#include "sys/disks.h"
#include "sys/netcount.h"
#include "sys/procfs.h"
#include "sys/psi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Files of /proc and of control groups: the kernel writes them, but the names in them are strangers'. */

#define PID 7

static void read_figures(int fd)
{
	struct procfs_cpu cpu = { 0 }, before = { 0 };
	double ratio = 0;
	uint64_t v = 0, w = 0;

	if (procfs_read_cpu(fd, &cpu) == 0)
		assert(procfs_cpu_busy_pct(&before, &cpu) <= 100);
	if (procfs_read_memory(fd, &ratio) == 0)
		assert(ratio >= 0 && ratio <= 1);
	if (procfs_read_load1(fd, &ratio) == 0)
		assert(isfinite(ratio) && ratio >= 0);
	(void)psi_read_total_us(fd, PSI_LINE_SOME, &v);
	(void)psi_read_total_us(fd, PSI_LINE_FULL, &v);
	(void)cgroup_read_u64(fd, &v);
	(void)cgroup_read_key(fd, "usage_usec", &v);
	(void)cgroup_read_io_bytes(fd, &v, &w);
}

static void read_process(int root_fd, int proc_fd)
{
	struct procfs_task task = { 0 };
	static struct procfs_mounts mounts;
	char unit[ENTITY_NAME_MAX] = "";
	uid_t uid;

	if (procfs_read_task(proc_fd, PID, &task) == 0)
		assert(str_is_terminated(task.comm, sizeof(task.comm)));
	if (procfs_read_unit(proc_fd, PID, unit) == 0)
		assert(unit[0] && str_is_terminated(unit, sizeof(unit)));
	(void)procfs_read_euid(proc_fd, PID, &uid);
	if (procfs_read_mounts(root_fd, &mounts) == 0)
		assert(mounts.n <= PROCFS_MOUNTS_MAX);
}

static void read_counters(int root_fd, const uint8_t *data, size_t size)
{
	struct netcount_dev devs[4];
	struct disk_stats disks[4];
	char text[4096] = "";
	uint64_t v = 0;
	size_t n;

	memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
	(void)netcount_find(text, "Tcp", "CurrEstab", &v);
	(void)netcount_find_socket(text, "TCP", "inuse", &v);
	assert(disks_parse(root_fd, text, disks, ELEMENTSOF(disks)) <= ELEMENTSOF(disks));
	memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
	n = netcount_parse_devs(text, devs, ELEMENTSOF(devs));
	assert(n <= ELEMENTSOF(devs));
	for (size_t i = 0; i < n; i++)
		assert(str_is_terminated(devs[i].name, sizeof(devs[i].name)));
}

static void read_path(const uint8_t *data, size_t size)
{
	char place[CGROUP_PATH_MAX] = "", unit[ENTITY_NAME_MAX] = "";

	memcpy(place, data, size < sizeof(place) ? size : sizeof(place) - 1);
	if (cgroup_unit_from_path(place, unit) == 0)
		assert(unit[0] && str_is_terminated(unit, sizeof(unit)));
}

static char path[] = "/dev/shm/fuzz-XXXXXX";
static const char *const names[] = { "proc/7/stat", "proc/7/status", "proc/7/cgroup",
				     "proc/self/mountinfo" };

static void remove_root(void)
{
	int root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		(void)unlinkat(root_fd, names[i], 0);
	(void)unlinkat(root_fd, "proc/7", AT_REMOVEDIR);
	(void)unlinkat(root_fd, "proc/self", AT_REMOVEDIR);
	(void)unlinkat(root_fd, "proc", AT_REMOVEDIR);
	(void)rmdir(path);
	(void)close(root_fd);
}

/* One file under all the names that are read. */
static int make_root(int fd)
{
	char target[64] = "";
	int root_fd;

	str_append(target, sizeof(target), "/proc/self/fd/%d", fd);
	root_fd = open(mkdtemp(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(root_fd >= 0);
	(void)atexit(remove_root);
	(void)mkdirat(root_fd, "proc", 0755);
	(void)mkdirat(root_fd, "proc/7", 0755);
	(void)mkdirat(root_fd, "proc/self", 0755);
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		(void)symlinkat(target, root_fd, names[i]);
	return root_fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -EBADF, root_fd = -EBADF, proc_fd = -EBADF;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		root_fd = make_root(fd);
		proc_fd = openat(root_fd, "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	read_figures(fd);
	read_process(root_fd, proc_fd);
	read_path(data, size);
	read_counters(root_fd, data, size);
	return 0;
}
