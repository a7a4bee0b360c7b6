/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "step/step.h"
#include "sys/credential.h"
#include "sys/goodstore.h"
#include "sys/pgswap.h"
#include "sys/unitctl.h"

#define DROP_MAX_NS (60 * NS_PER_S) /* for one server; its unit has 5 min */

static void keep_each(int root_fd, void *bus, const struct services *services,
		      void (*tell)(const struct service *s, int r, const struct err *err))
{
	for (uint32_t i = 0; i < services->n; i++) {
		const struct service *s = &services->v[i];
		struct err err = { 0 };

		if (s->tracked_files.n > 0)
			tell(s, goodstore_keep_service(root_fd, bus, s, &err), &err);
	}
}

int step_keep(const char *root, void (*tell)(const struct service *s, int r, const struct err *err),
	      struct err *reterr)
{
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, root, reterr);
	_cleanup_(services_done) struct services services = { 0 };
	_cleanup_(unitctl_closep) void *bus = NULL;
	int r = root_fd < 0 ? root_fd : services_load_trusted(root_fd, &services, reterr);

	if (r == 0)
		r = unitctl_open(&bus, reterr);
	if (r == 0)
		keep_each(root_fd, bus, &services, tell);
	return r;
}

int step_drop(const char *root, void (*tell)(const struct service *s, int r, const struct err *err),
	      struct err *reterr)
{
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, root, reterr);
	_cleanup_(services_done) struct services services = { 0 };
	struct err err = { 0 };
	_cleanup_close_ int credentials_fd = credential_open_dir(&err);
	int r = root_fd < 0 ? root_fd : services_load_trusted(root_fd, &services, reterr);

	for (uint32_t i = 0; r == 0 && i < services.n; i++) {
		const struct service *s = &services.v[i];

		if (s->database.snapshots_dir[0])
			tell(s,
			     pgswap_expire(&s->database, credentials_fd,
					   clock_boot_ns() + DROP_MAX_NS, &err),
			     &err);
	}
	return r;
}
