/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/agent.h"
#include "base/fd.h"
#include "base/log.h"

/* On a tmpfs: open incidents outlive the agent, not a reboot. */
#define STATE_FILE "state"

int agent_state_open(struct agent *a, struct err *reterr)
{
	char path[256] = "";

	str_append(path, sizeof(path), "%s/agent", a->runtime_dir);
	/* tmpfiles.d has made it; by hand nobody has. */
	if (mkdirat(AT_FDCWD, path, 0750) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "make directory '%s': %s", path, strerror(errno));
	a->state_fd = fd_open_dir(AT_FDCWD, path, reterr);
	if (a->state_fd < 0)
		return a->state_fd;
	/* Large, and touched only as far as there is something to save. */
	a->state_buf = malloc(ENGINE_SAVE_MAX);
	return a->state_buf ? 0 : err_set(reterr, -ENOMEM, "keep state: %s", strerror(ENOMEM));
}

void agent_state_restore(struct agent *a)
{
	struct err err = { 0 };
	ssize_t n = fd_read_file(a->state_fd, STATE_FILE, a->state_buf, ENGINE_SAVE_MAX);
	int r;

	if (n == -ENOENT)
		return;
	r = n < 0 ? err_set(&err, (int)n, "read file '%s': %s", STATE_FILE, strerror((int)-n)) :
		    engine_restore(a->engine, a->state_buf, (size_t)n, clock_boot_ns(), &err);
	if (r < 0)
		log_line(LOG_WARNING, "State of the last run is not used: %s", err_text(&err));
}

void agent_state_save(struct agent *a)
{
	struct err err = { 0 };
	ssize_t n;
	int r;

	if (!a->state_is_dirty)
		return;
	a->state_is_dirty = false;
	n = engine_save(a->engine, a->state_buf, ENGINE_SAVE_MAX);
	r = n < 0 ? err_set(&err, (int)n, "save state: %s", strerror((int)-n)) :
		    fd_write_atomic(a->state_fd, STATE_FILE, a->state_buf, (size_t)n, 0640, false,
				    &err);
	if (r < 0)
		log_line(LOG_WARNING, "State is not saved, ignoring: %s", err_text(&err));
}
