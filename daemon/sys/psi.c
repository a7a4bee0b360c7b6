/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/psi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

int psi_read_total_us(int fd, enum psi_line line, uint64_t *ret_us)
{
	const char *tag = line == PSI_LINE_SOME ? "some " : "full ";
	char buf[256] = "", *p, *end;
	ssize_t n;

	n = pread(fd, buf, sizeof(buf) - 1, 0);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	p = strstr(buf, tag);
	if (!p)
		return strstr(buf, "total=") ? -ENODATA : -EBADMSG;
	p = strstr(p, "total=");
	if (!p)
		return -EBADMSG;
	p += strlen("total=");
	errno = 0;
	*ret_us = strtoull(p, &end, 10);
	return end == p || errno ? -EBADMSG : 0;
}

/* With psi=0 the files are absent or each access fails with EOPNOTSUPP. */
static int open_error(int code, const char *path, struct err *reterr)
{
	if (code == -ENOENT || code == -EOPNOTSUPP)
		return err_set(reterr, -EOPNOTSUPP,
			       "open pressure '%s': the kernel has PSI off (boot with psi=1)",
			       path);
	return err_set(reterr, code, "open pressure '%s': %s", path, strerror(-code));
}

int psi_open(int dir_fd, const char *path, struct err *reterr)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char probe = 0;

	if (fd < 0)
		return open_error(-errno, path, reterr);
	if (pread(fd, &probe, 1, 0) < 0)
		return open_error(-errno, path, reterr);
	return TAKE_FD(fd);
}

int psi_open_trigger(int dir_fd, const char *path, enum psi_line line, uint32_t stall_us,
		     uint32_t window_us, struct err *reterr)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	char trigger[64] = "";
	int n;

	if (fd < 0)
		return open_error(-errno, path, reterr);
	n = snprintf(trigger, sizeof(trigger), "%s %u %u", line == PSI_LINE_SOME ? "some" : "full",
		     stall_us, window_us);
	if (n < 0 || write(fd, trigger, (size_t)n + 1) < 0)
		return err_set(reterr, -errno, "arm trigger '%s %s': %s", path, trigger,
			       strerror(errno));
	return TAKE_FD(fd);
}

double psi_share_pct(uint64_t before_us, uint64_t after_us, uint64_t elapsed_ns)
{
	double share;

	if (elapsed_ns == 0 || after_us < before_us)
		return 0;
	share = (double)(after_us - before_us) * 100.0 * (double)NS_PER_US / (double)elapsed_ns;
	return share > 100 ? 100 : share;
}
