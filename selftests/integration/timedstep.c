/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/step.o daemon/step.a gen/registry_action.o */
/* aiops-step with all its actions on a machine without systemd: a timer is a file of its service's name in
 * the working directory, and whoever runs this runs "expire". */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/expiry.h"

int expiry_arm(void *bus, const char *service, uint64_t span_ns, struct err *reterr)
{
	_cleanup_close_ int fd = open(service, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	(void)bus;
	(void)span_ns;
	return fd >= 0 ? 0 : err_set(reterr, -errno, "make timer: %s", strerror(errno));
}

void expiry_disarm(void *bus, const char *service)
{
	(void)bus;
	(void)unlink(service);
}
