/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* A file of our own among the runtime drop-ins of a unit, /run/systemd/system/UNIT.d/90-aiops-KEY.conf: it goes
 * with a reboot at the latest, and unlike SetUnitProperties() shares its name with nobody.
 * Source: systemd.unit(5). */

struct dropin {
	int root_fd;
	const char *unit, *key;
	const char *content; /* all of the file */
};

/* Would the directory be there without us? Returns 1, 0; -errno. */
int dropin_has_directory(const struct dropin *d, struct err *reterr) _warn_unused_;

/* Refuses a second one of ours that says the same: they could not be undone in any order. property: "CPUQuota".
 * Returns 0; -EBUSY naming the file; other -errno. */
int dropin_check_no_other(const struct dropin *d, const char *property,
			  struct err *reterr) _warn_unused_;

/* Returns 0; -errno. systemd reads it at its next reload. */
int dropin_write(const struct dropin *d, struct err *reterr) _warn_unused_;

/* Removes it if it is still as we wrote it, and with_directory what is then empty. Returns 1: removed; 0: it is
 * gone; -ECANCELED: changed since, left alone; other -errno. */
int dropin_remove(const struct dropin *d, bool with_directory, struct err *reterr) _warn_unused_;
