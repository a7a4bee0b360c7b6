/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "model/audit.h"

/* Writes the audit trail (model/audit.h says what it looks like). Blocks on the disk. */

#define AUDIT_RECENT_MAX \
	4096 /* entries that are known again: over what the executor can hold back */

struct audit;

/* What opening found, for the journal. */
struct audit_found {
	bool repaired; /* a line that a power cut had torn was cut off */
	bool broken;   /* the chain does not hold; it is carried on, and verify goes on saying so */
	char text[ERR_TEXT_MAX]; /* where and why, of either */
};

/* Opens the trail below dir (made if needed) and finds its head. Returns 0; -errno. */
int audit_open(const char *dir, struct audit **ret, struct audit_found *ret_found,
	       struct err *reterr) _warn_unused_;
struct audit *audit_close(struct audit *a);
DEFINE_CLEANUP(struct audit *, audit_close);

/* Adds the entry and syncs it to the disk. Returns 1; 0 when it was there already (by boot_id and
 * seq); -errno: nothing was written, try again later. */
int audit_append(struct audit *a, const struct audit_entry *entry,
		 struct err *reterr) _warn_unused_;

/* What is kept of a trail. Age by the file: when a segment was last written. */
struct audit_bounds {
	uint64_t bytes, age_us;
};
/* Some 300,000 entries. What is refused is an entry, too: at the executor's bounds on what it is asked for, an
 * agent in foreign hands needs most of a day to push out what it did before. */
#define AUDIT_KEEP_BYTES (256 * 1024 * 1024)
#define AUDIT_KEEP_DAYS  365
/* The newest are kept whatever their age: an entry that comes again is known by them. */
#define AUDIT_KEEP_SEGMENTS 2

/* Removes the oldest segments that are over the bounds; by age one in a call, so that a wrong clock costs no more
 * than that. First an entry is written that says where the trail begins then, by ret_entry for the journal. A
 * trail that is broken there is left as it is. Returns segments removed; -EBADMSG; -errno. */
int audit_cut(struct audit *a, const struct audit_bounds *bounds, uint64_t now_wall_us,
	      struct audit_entry *ret_entry, struct err *reterr) _warn_unused_;

const struct audit_head *audit_head(const struct audit *a);
unsigned audit_segment(const struct audit *a);
/* Is the last entry the first of its segment? */
bool audit_begins_segment(const struct audit *a);
