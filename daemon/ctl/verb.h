/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/* A verb of aiopsctl: one file in daemon/ctl that defines `const struct verb_ops verb_NAME`. */

/* Exit codes: documented in aiopsctl(1) and frozen. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2, /* also: confirmation needed, but no terminal and no --yes */
	CTL_NO_DAEMON = 3,
	CTL_NOT_FOUND = 4,
	CTL_REFUSED = 5, /* policy, permission, or approval is needed */
	CTL_TIMEOUT = 6,
	CTL_UNVERIFIED = 7, /* the action ran, but did not hold, and was undone */
};

enum json_mode { JSON_MODE_OFF, JSON_MODE_SHORT, JSON_MODE_PRETTY };

/* Options that belong to some verbs only; a verb lists those it takes. */
enum {
	OPT_DRY_RUN = 1 << 0,
	OPT_YES = 1 << 1,
	OPT_WAIT = 1 << 2,
	OPT_FOLLOW = 1 << 3,
	OPT_SINCE = 1 << 4,
	OPT_UNIT = 1 << 5,
	OPT_STATE = 1 << 6,
	OPT_LIMIT = 1 << 7,
	OPT_REASON = 1 << 8,
	OPT_FOR = 1 << 9,
	OPT_ID = 1 << 10,
	OPT_ALL = 1 << 11,
	OPT_INCIDENT = 1 << 12,
};

struct ctl {
	enum json_mode json;
	bool legend, quiet, full, colour, tty, help;
	const char *root, *runtime_dir;
	/* verb options */
	bool dry_run, yes, wait, follow, all;
	uint64_t wait_ns, for_ns; /* 0: not given */
	uint64_t since_usec;      /* wall clock, microseconds since the epoch; 0: not given */
	const char *unit, *state, *reason, *id, *for_text, *incident;
	unsigned rows_max; /* 0: not given */
};

struct verb_ops {
	const char *name;
	const char *group; /* heading in the help */
	const char *usage; /* what follows the name */
	const char *summary;
	const char *help; /* a paragraph or two with examples */
	unsigned options; /* OPT_... it takes */
	/* argv[0] is the verb. Returns enum ctl_exit. */
	int (*run)(struct ctl *ctl, int argc, char **argv);
};

extern const struct verb_ops *const verb_registry[]; /* generated; ends with NULL */
