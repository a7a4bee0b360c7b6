/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* Pressure stall information. Source: kernel Documentation/accounting/psi.rst. */

enum psi_line {
	PSI_LINE_SOME, /* at least one task stalled */
	PSI_LINE_FULL, /* all tasks stalled */
};

/* Reads the line's total from an open pressure file (of /proc/pressure or a cgroup) by pread(2).
 * ret_us  microseconds of stall since boot (or since the cgroup was made)
 * Returns 0; -EOPNOTSUPP if PSI is off; -ENODEV if the cgroup is gone; -ENODATA: no such line;
 * -EBADMSG: not a pressure file; other -errno from read. */
int psi_read_total_us(int fd, enum psi_line line, uint64_t *ret_us) _warn_unused_;

/* Opens a pressure file below dir_fd for totals. Returns the fd; -EOPNOTSUPP if PSI is off; -errno. */
int psi_open(int dir_fd, const char *path, struct err *reterr) _warn_unused_;

/* Arms a trigger: the fd polls POLLPRI when the line's stall exceeds stall_us within window_us.
 * window_us: a multiple of 2 s needs no privilege (kernel psi.rst, "unprivileged users").
 * Returns the fd; -EOPNOTSUPP; -errno. */
int psi_open_trigger(int dir_fd, const char *path, enum psi_line line, uint32_t stall_us,
		     uint32_t window_us, struct err *reterr) _warn_unused_;

/* Share of wall time in per cent between two totals; 0 where the clock or the total went back. */
double psi_share_pct(uint64_t before_us, uint64_t after_us, uint64_t elapsed_ns);
