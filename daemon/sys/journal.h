/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Reads the systemd journal. May block on the disk: for the recorder and aiopsctl. */

#define JOURNAL_MESSAGE_MAX 1024  /* bytes of a message that are kept */
#define JOURNAL_WALK_MAX    10000 /* entries looked at for one field: some 10 ms */

struct journal_line {
	uint64_t wall_us;
	int priority;                      /* syslog(3); LOG_INFO where there is none */
	char message[JOURNAL_MESSAGE_MAX]; /* as written by whoever wrote it: raw bytes, no NUL */
};

/* The last lines of a unit, oldest first: its own output, what systemd says about it, what root's
 * daemons say about it, its core dumps. Matches trusted fields only (_SYSTEMD_UNIT=, and UNIT=,
 * OBJECT_SYSTEMD_UNIT=, COREDUMP_UNIT= from _PID=1 or _UID=0), so nobody else can speak for it.
 * root_fd   "/" or a test's tree; its var/log/journal and run/log/journal are read
 * since_us  CLOCK_REALTIME: nothing older
 * Returns lines (at most lines_max); -ENOENT if there is no journal; -EACCES if it may not be read;
 * other -errno.
 * Source: systemd, src/shared/logs-show.c, add_matches_for_unit(). */
int journal_read_unit(int root_fd, const char *unit, uint64_t since_us, size_t lines_max,
		      struct journal_line *ret, struct err *reterr) _warn_unused_;

/* The newest value of a field that a unit's own processes wrote, as "N HASH" of AIOPS_AUDIT_HEAD= by
 * aiops-recorder.service. Returns 1; 0 when there is none; -errno. */
int journal_read_last_field(int root_fd, const char *unit, const char *field, char *ret,
			    size_t ret_size, struct err *reterr) _warn_unused_;
