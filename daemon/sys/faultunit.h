/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/fault_status.h"

/* Faults as whoever asks for them sees them: a record in PATH_FAULTS_DIR and a unit aiops-fault@KEY
 * for it. All of it needs root. bus: sd_bus * of unitctl_open(); faults_fd: fault_unit_open_dir(). */

#define FAULT_UNIT_LIST_MAX 64

struct fault_request {
	const char *fault; /* its name, as in fault_table[] */
	const struct params *params;
	uint64_t duration_ns;
	const char *key; /* 32 hexadecimal digits; NULL: a new one. Asked twice, done once */
	const char *requester;
};

/* Returns an fd; -ENOENT where the package is not installed; -EACCES. */
int fault_unit_open_dir(struct err *reterr) _warn_unused_;

/* Starts it and waits until it is injected, at most 20 s. Returns 0 and how far it is; what
 * refused it otherwise (-EPERM: switched off, protected; -EBUSY: another one; -EINVAL; -ESRCH: the unit
 * does not run) with the runner's words; -ETIMEDOUT. */
int fault_unit_inject(void *bus, int faults_fd, const struct fault_request *request,
		      struct fault_status *ret, struct err *reterr) _warn_unused_;

/* How far a fault is, or how it ended. key may be the front of one, at least 4 characters.
 * Returns 0; -ENOENT; -ENOTUNIQ; -EBADMSG. */
int fault_unit_read(int faults_fd, const char *key, struct fault_status *ret,
		    struct err *reterr) _warn_unused_;

/* All that is active or stuck, and with_results the latest that have ended; newest first. A file that
 * cannot be read is left out. Returns how many; -errno. */
ssize_t fault_unit_list(int faults_fd, bool with_results, struct fault_status *ret, size_t max,
			struct err *reterr) _warn_unused_;

/* Ends it now, or tries again to end what is stuck; waits until it is done. key as above. Returns 1;
 * 0: it had ended; -EBUSY: something of it is left; other -errno. */
int fault_unit_recover(void *bus, int faults_fd, const char *key, struct fault_status *ret,
		       struct err *reterr) _warn_unused_;

/* The same for every one that is there. Goes on after errors. Returns how many were ended; the
 * first -errno. */
int fault_unit_recover_all(void *bus, int faults_fd, struct err *reterr) _warn_unused_;
