/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "step/step.h"

#define CLAIM_NAME_MAX (STR_HEX128_MAX + sizeof(".claim"))

static void format_name(const struct step *s, char buf[static CLAIM_NAME_MAX])
{
	buf[0] = '\0';
	str_append(buf, CLAIM_NAME_MAX, "%s.claim", s->key);
}

static void format_line(enum step_phase phase, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(buf, size, "%s %" PRIu64 "\n", step_phase_to_string(phase), clock_boot_ns());
}

/* Opens the claim for appending and locks it: while we live nobody takes it over. The directory is
 * the executor's, so what is found there is checked. */
static int open_locked(const struct step *s, struct err *reterr)
{
	_cleanup_close_ int fd = -EBADF;
	char name[CLAIM_NAME_MAX];
	struct stat st = { 0 };

	format_name(s, name);
	fd = openat(s->steps_fd, name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_set(reterr, -errno, "open claim '%s': %s", name, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return err_set(reterr, -EPERM, "open claim '%s': it is not ours", name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(reterr, -errno, "lock claim '%s': %s", name, strerror(errno));
	return TAKE_FD(fd);
}

int claim_create(struct step *s, struct err *reterr)
{
	char name[CLAIM_NAME_MAX], line[40];
	int r;

	format_name(s, name);
	format_line(STEP_PHASE_CLAIMED, line, sizeof(line));
	r = fd_write_exclusive(s->steps_fd, name, line, strlen(line), 0644, reterr);
	if (r == -EEXIST)
		return 0;
	if (r == 0)
		r = open_locked(s, reterr);
	if (r < 0)
		return r;
	s->claim_fd = r;
	return 1;
}

int claim_take_over(struct step *s, struct err *reterr)
{
	int r = open_locked(s, reterr);

	if (r == -EWOULDBLOCK || r == -EPERM || r == -EACCES)
		return 0;
	if (r < 0)
		return r;
	s->claim_fd = r;
	return 1;
}

int claim_write(struct step *s, enum step_phase phase, struct err *reterr)
{
	char line[40];
	ssize_t n;

	format_line(phase, line, sizeof(line));
	n = write(s->claim_fd, line, strlen(line));
	if (n != (ssize_t)strlen(line))
		return err_set(reterr, n < 0 ? -errno : -ENOSPC, "write phase '%s': %s",
			       step_phase_to_string(phase), strerror(n < 0 ? errno : ENOSPC));
	s->result.ran |= phase >= STEP_PHASE_APPLYING;
	return 0;
}
