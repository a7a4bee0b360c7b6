/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/procfs.h"

#define GO_FD     3 /* a byte: begin; end of file: the parent is gone */
#define PROCS_FD  4
#define CHUNK_MIB 4u
#define MIB_BYTES (1024u * 1024u)

static void spin(void)
{
	volatile uint64_t x = 1;

	for (;;)
		x = x * UINT64_C(6364136223846793005) + 1;
}

static int spin_in(uint64_t processes)
{
	for (uint64_t i = 1; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return EXIT_FAILURE;
		if (pid == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			spin();
		}
	}
	spin();
	return EXIT_SUCCESS;
}

/* False once the parent is gone. */
static bool parent_stays(int wait_ms)
{
	struct pollfd p = { .fd = GO_FD, .events = POLLIN };
	char c;

	return poll(&p, 1, wait_ms) == 0 || read(GO_FD, &c, 1) > 0;
}

/* Every page is written, or the kernel would not count it. */
static bool take_chunk(void)
{
	size_t size = (size_t)CHUNK_MIB * MIB_BYTES;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	memset(p, 0x5a, size);
	return true;
}

static int grow(uint64_t most_mib, uint64_t rate_mib_per_s)
{
	int wait_ms = (int)(CHUNK_MIB * 1000 / rate_mib_per_s);
	char go;

	if (read(GO_FD, &go, 1) != 1)
		return EXIT_SUCCESS;
	if (write(PROCS_FD, "0", 1) != 1)
		return EXIT_FAILURE;
	(void)close(PROCS_FD);
	for (uint64_t mib = 0; mib < most_mib; mib += CHUNK_MIB)
		if (!parent_stays(wait_ms) || !take_chunk())
			break;
	while (parent_stays(-1))
		continue;
	return EXIT_SUCCESS;
}

/* Our own argument, so a wrong one is a bug and not a user's. */
static bool number(const char *s, uint64_t max, uint64_t *ret)
{
	return s && str_parse_u64(s, ret) == 0 && *ret >= 1 && *ret <= max;
}

int worker_main(int argc, char *argv[])
{
	uint64_t a = 0, b = 0;

	(void)prctl(PR_SET_NAME, WORKER_NAME);
	if (argc == 3 && str_equal(argv[1], WORKER_SPINS) && number(argv[2], WORKER_SPIN_MAX, &a))
		return spin_in(a);
	if (argc == 4 && str_equal(argv[1], WORKER_GROWS) &&
	    number(argv[2], WORKER_GROW_MAX_MIB, &a) && number(argv[3], WORKER_RATE_MAX_MIB, &b)) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		return grow(a, b);
	}
	return EXIT_FAILURE;
}

int worker_path(char *ret, size_t size)
{
	char self[512] = "", path[512] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash = n < 0 ? NULL : strrchr(self, '/');

	if (!slash)
		return n < 0 ? -errno : -EINVAL;
	str_append(path, sizeof(path), "%.*s/" WORKER_NAME, (int)(slash - self), self);
	/* Run from a build tree there is no link by that name. */
	return str_copy(ret, size, access(path, X_OK) == 0 ? path : self);
}

static int spawn(const struct worker_growth *g, int pipe_fd, pid_t *ret)
{
	char most[16] = "", rate[16] = "", path[512] = "";
	char *const argv[] = { (char[]){ WORKER_NAME }, (char[]){ WORKER_GROWS }, most, rate,
			       NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r = worker_path(path, sizeof(path));

	if (r < 0)
		return r;
	str_append(most, sizeof(most), "%u", g->most_mib);
	str_append(rate, sizeof(rate), "%u", g->rate_mib_per_s);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	/* The runner blocks signals for its event loop; a worker must die of them. */
	(void)sigemptyset(&none);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn_file_actions_adddup2(&actions, pipe_fd, GO_FD);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, g->procs_fd, PROCS_FD);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, PROCS_FD + 1);
	if (r == 0)
		r = posix_spawn(ret, path, &actions, &attributes, argv, (char *const[]){ NULL });
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Above the numbers that dup2() writes over. */
static int lift_fd(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, PROCS_FD + 1);

	return high < 0 ? -errno : high;
}

static int read_start(pid_t pid, uint64_t *ret)
{
	_cleanup_close_ int proc_fd = fd_open_dir(AT_FDCWD, "/proc", NULL);
	struct procfs_task task = { 0 };
	int r = proc_fd < 0 ? proc_fd : procfs_read_task(proc_fd, pid, &task);

	*ret = task.start_jiffies;
	return r;
}

int worker_start_growing(const struct worker_growth *g, struct worker *ret, struct err *reterr)
{
	int ends[2] = { -EBADF, -EBADF };
	int r = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
	_cleanup_close_ int read_fd = r == 0 ? lift_fd(ends[0]) : -EBADF;
	_cleanup_close_ int write_fd = r == 0 ? ends[1] : -EBADF;
	_cleanup_close_ int procs_fd = lift_fd(g->procs_fd);
	struct worker_growth lifted = *g;
	struct worker w = { .go_fd = -EBADF };

	closep(&ends[0]);
	lifted.procs_fd = procs_fd;
	if (r == 0)
		r = read_fd < 0 ? read_fd : procs_fd < 0 ? procs_fd : 0;
	if (r == 0)
		r = spawn(&lifted, read_fd, &w.pid);
	if (r == 0)
		r = read_start(w.pid, &w.start_jiffies);
	if (r < 0)
		return err_set(reterr, r, "start a worker: %s", strerror(-r));
	w.go_fd = TAKE_FD(write_fd);
	*ret = w;
	return 0;
}

int worker_go(const struct worker *w)
{
	return write(w->go_fd, "1", 1) == 1 ? 0 : -errno;
}
