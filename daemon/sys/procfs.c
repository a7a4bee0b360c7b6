/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/cgroup.h"

#define MOUNTINFO_MAX (64 * 1024) /* bytes; some 500 mounts */

static ssize_t read_text(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice"; guest is part of user. */
int procfs_read_cpu(int fd, struct procfs_cpu *ret)
{
	char buf[512] = "";
	char *p = buf + 4, *end = NULL;
	uint64_t v[8] = { 0 };
	ssize_t n = read_text(fd, buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	if (strncmp(buf, "cpu ", 4) != 0)
		return -EBADMSG;
	for (size_t i = 0; i < ELEMENTSOF(v); i++, p = end) {
		v[i] = strtoull(p, &end, 10);
		if (end == p)
			return -EBADMSG;
	}
	ret->idle = v[3] + v[4];
	ret->busy = v[0] + v[1] + v[2] + v[5] + v[6] + v[7];
	return 0;
}

double procfs_cpu_busy_pct(const struct procfs_cpu *before, const struct procfs_cpu *after)
{
	/* iowait may go back: proc(5). */
	uint64_t idle = after->idle > before->idle ? after->idle - before->idle : 0;
	uint64_t busy = after->busy > before->busy ? after->busy - before->busy : 0;

	return idle || busy ? 100.0 * (double)busy / ((double)idle + (double)busy) : 0;
}

static int find_kb(const char *text, const char *key, uint64_t *ret)
{
	const char *p = strstr(text, key);
	char *end = NULL;

	if (!p)
		return -EBADMSG;
	p += strlen(key);
	errno = 0;
	*ret = strtoull(p, &end, 10);
	return end == p || errno ? -EBADMSG : 0;
}

int procfs_read_memory(int fd, double *ret_available_ratio)
{
	char buf[512] = ""; /* both are among the first three lines */
	uint64_t total = 0, available = 0;
	ssize_t n = read_text(fd, buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	if (find_kb(buf, "MemTotal:", &total) < 0 || total == 0 ||
	    find_kb(buf, "MemAvailable:", &available) < 0 || available > total)
		return -EBADMSG;
	*ret_available_ratio = (double)available / (double)total;
	return 0;
}

int procfs_read_load1(int fd, double *ret)
{
	char buf[128] = "", *end = NULL;
	ssize_t n = read_text(fd, buf, sizeof(buf));
	double v;

	if (n < 0)
		return (int)n;
	v = strtod(buf, &end);
	if (end == buf || !isfinite(v) || v < 0)
		return -EBADMSG;
	*ret = v;
	return 0;
}

/* The n-th field after the command's name, which may itself hold spaces and brackets.
 * Source: proc(5), /proc/PID/stat. */
static int parse_stat(char *buf, struct procfs_task *ret)
{
	uint64_t utime = 0, stime = 0, nice = 0;
	const struct {
		int field;
		uint64_t *ret;
	} numbers[] = { { 9, &ret->flags },
			{ 14, &utime },
			{ 15, &stime },
			{ 22, &ret->start_jiffies },
			{ 41, &ret->policy } };
	char *open = strchr(buf, '('), *close = strrchr(buf, ')'), *p, *save = NULL;
	int field = 3;

	if (!open || !close || close < open || close[1] != ' ')
		return -EBADMSG;
	*close = '\0';
	(void)str_copy(ret->comm, sizeof(ret->comm), open + 1);
	for (p = strtok_r(close + 2, " ", &save); p; p = strtok_r(NULL, " ", &save), field++) {
		if (field == 3)
			ret->state = p[0];
		if (field == 19 && str_parse_u64(p + (p[0] == '-'), &nice) < 0)
			return -EBADMSG;
		if (field == 19)
			ret->nice = p[0] == '-' ? -(int)nice : (int)nice;
		for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
			if (field == numbers[i].field && str_parse_u64(p, numbers[i].ret) < 0)
				return -EBADMSG;
	}
	ret->cpu_jiffies = utime + stime;
	return field > 22 ? 0 : -EBADMSG;
}

int procfs_read_task(int proc_fd, pid_t pid, struct procfs_task *ret)
{
	char path[32] = "", buf[1024] = "";
	struct procfs_task task = { .pid = pid };
	ssize_t n;
	int r;

	str_append(path, sizeof(path), "%d/stat", pid);
	n = fd_read_file(proc_fd, path, buf, sizeof(buf));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	r = parse_stat(buf, &task);
	if (r == 0)
		*ret = task;
	return r;
}

/* The line of /proc/PID/status that begins with key, in buf. Line feeds in a name are escaped there, so
 * it is no part of one. Returns 0; -ESRCH; -EBADMSG. */
static int read_status(int proc_fd, pid_t pid, const char *key, char *buf, size_t size,
		       const char **ret)
{
	char path[32] = "";
	ssize_t n;

	str_append(path, sizeof(path), "%d/status", pid);
	n = fd_read_file(proc_fd, path, buf, size);
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	*ret = strstr(buf, key);
	return *ret ? 0 : -EBADMSG;
}

int procfs_read_euid(int proc_fd, pid_t pid, uid_t *ret)
{
	const char *line = NULL;
	char buf[4096] = "";
	unsigned euid = 0;
	int r = read_status(proc_fd, pid, "\nUid:\t", buf, sizeof(buf), &line);

	if (r < 0)
		return r;
	if (sscanf(line, "\nUid:\t%*u\t%u", &euid) != 1)
		return -EBADMSG;
	*ret = euid;
	return 0;
}

int procfs_is_namespace_init(int proc_fd, pid_t pid)
{
	const char *line = NULL, *last;
	char buf[4096] = "", *end;
	int r = read_status(proc_fd, pid, "\nNSpid:\t", buf, sizeof(buf), &line);

	if (r < 0)
		return r;
	end = strchr(line + 1, '\n');
	if (end)
		*end = '\0';
	last = strrchr(line, '\t');
	return str_equal(last + 1, "1") && last > line + strlen("\nNSpid:");
}

/* The path of the v2 line of /proc/PID/cgroup, within buf. Returns 0; -ESRCH; -ENXIO; -errno. */
static int read_cgroup(int proc_fd, pid_t pid, char *buf, size_t size, char **ret)
{
	char path[32] = "", *line;
	ssize_t n;

	str_append(path, sizeof(path), "%d/cgroup", pid);
	n = fd_read_file(proc_fd, path, buf, size);
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	line = strncmp(buf, "0::", 3) == 0 ? buf : strstr(buf, "\n0::");
	if (!line)
		return -ENXIO;
	line = strstr(line, "::") + 2;
	line[strcspn(line, "\n")] = '\0';
	*ret = line;
	return 0;
}

int procfs_read_unit(int proc_fd, pid_t pid, char ret[static ENTITY_NAME_MAX])
{
	char buf[4096] = "", *line = NULL;
	int r = read_cgroup(proc_fd, pid, buf, sizeof(buf), &line);

	return r < 0 ? r : cgroup_unit_from_path(line, ret);
}

/* "NSpid:" has one number for each PID namespace, ours first. */
static bool is_in_pid_namespace(int proc_fd, pid_t pid)
{
	const char *line = NULL;
	unsigned outer = 0, inner = 0;
	char buf[4096] = "";

	return read_status(proc_fd, pid, "\nNSpid:\t", buf, sizeof(buf), &line) == 0 &&
	       sscanf(line, "\nNSpid:%u%*[\t]%u", &outer, &inner) == 2;
}

bool procfs_is_in_container(int proc_fd, pid_t pid)
{
	char buf[4096] = "", *line = NULL;

	return is_in_pid_namespace(proc_fd, pid) ||
	       (read_cgroup(proc_fd, pid, buf, sizeof(buf), &line) == 0 &&
		cgroup_is_container(line));
}

/* Octal escapes of mountinfo: \040 for a space. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static bool is_local(const char *type)
{
	static const char *const types[] = {
		"ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "f2fs"
	};

	for (size_t i = 0; i < ELEMENTSOF(types); i++)
		if (str_equal(types[i], type))
			return true;
	return false;
}

/* "36 35 98:0 /root /mount rw,noatime master:1 - ext4 /dev/sda rw": one line of mountinfo. What
 * counts is whether the file system is writable: the mount is not, in a unit with ProtectSystem=. */
static void add_mount(char *line, struct procfs_mounts *ret)
{
	char *fields[5] = { NULL }, *save = NULL, *rest = strstr(line, " - ");
	const char *type, *options;

	if (!rest)
		return;
	*rest = '\0';
	for (size_t i = 0; i < ELEMENTSOF(fields); i++)
		fields[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
	type = strtok_r(rest + 3, " ", &save);
	(void)strtok_r(NULL, " ", &save);
	options = strtok_r(NULL, " ", &save);
	if (!fields[4] || !options || !is_local(type) || strncmp(options, "rw", 2) != 0)
		return;
	/* A bind mount (its root is not "/") is another view of a file system that is listed. */
	if (!str_equal(fields[3], "/") || strlen(fields[4]) >= sizeof(ret->paths[0]))
		return;
	unescape(fields[4]);
	(void)str_copy(ret->paths[ret->n++], sizeof(ret->paths[0]), fields[4]);
}

int procfs_read_mounts(int root_fd, struct procfs_mounts *ret)
{
	_cleanup_free_ char *buf = malloc(MOUNTINFO_MAX);
	char *save = NULL;
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	n = fd_read_file(root_fd, "proc/self/mountinfo", buf, MOUNTINFO_MAX);
	if (n < 0)
		return (int)n;
	ret->n = 0;
	for (char *line = strtok_r(buf, "\n", &save); line && ret->n < PROCFS_MOUNTS_MAX;
	     line = strtok_r(NULL, "\n", &save))
		add_mount(line, ret);
	return 0;
}
