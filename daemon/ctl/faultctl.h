/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "ctl/output.h"
#include "model/fault_status.h"

/* Faults as aiopsctl handles them: straight through systemd, so that ending one needs none of our
 * daemons. */

/* Active and stuck ones, with_results also those that ended; *ret is the caller's to free. Returns how
 * many; -errno. */
ssize_t faultctl_list(bool with_results, struct fault_status **ret, struct err *reterr);

/* "net.delay unit=api.service delay_ms=400: observed, 38 s left". Returns buf. */
const char *faultctl_describe(const struct fault_status *s, char *buf, size_t size);

/* What argv names ("net.delay unit=... delay_ms=400"), checked before anybody is asked. Prints the error
 * itself and returns its exit code. */
struct fault_wish {
	const struct fault_info *info;
	struct params params;
};
int faultctl_prepare(const struct ctl *ctl, int argc, char **argv, struct fault_wish *ret);

/* Injects it for ctl->for_ns and waits until it is in force; errors as above. */
int faultctl_inject(const struct ctl *ctl, const struct fault_wish *wish, struct fault_status *ret);

/* Exit code for a negative errno of the fault's files and unit. */
int faultctl_exit(int r);

const struct fault_info *faultctl_find(const char *name);
