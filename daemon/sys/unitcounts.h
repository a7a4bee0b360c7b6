/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/service.h"
#include "sys/watch.h"

/* What a BPF program counts for each managed unit, and for all other cgroups together. User space puts and
 * deletes the keys as units come and go: the kernel never inserts, so dead cgroups cannot fill the map and
 * no event allocates. */

#define UNITCOUNTS_OTHER SERVICES_MAX /* in place of a unit */

struct unitcounts {
	int units_fd, other_fd; /* maps per CPU: hash by cgroup id, array of one; borrowed */
	unsigned n_cpus, n;     /* n: 32-bit counts in a value */
	uint32_t *per_cpu;      /* a value as the kernel gives it */
	uint32_t *before;       /* of each unit, and of the others */
	uint64_t keys
		[SERVICES_MAX]; /* the cgroup that has an entry, as in watch.units, or another key */
};

/* value_size   of a value for one CPU, in bytes; a multiple of 8
 * Returns 0; -ENOMEM. */
int unitcounts_init(struct unitcounts *u, int units_fd, int other_fd, size_t value_size,
		    struct err *reterr) _warn_unused_;
void unitcounts_done(struct unitcounts *u);

/* Gives place i an entry for this key (0: none) and takes that of its last one away. */
void unitcounts_set(struct unitcounts *u, unsigned i, uint64_t key);

/* Gives each unit's present cgroup an entry of its own and takes that of its last one away. */
void unitcounts_follow(struct unitcounts *u, const struct watch *w);
/* The order of the units may be another: all entries are made anew at the next follow(). */
void unitcounts_forget(struct unitcounts *u);

/* What was counted since the last call for unit i of watch.units, or UNITCOUNTS_OTHER.
 * ret   n counts
 * Returns 1; 0 if nothing was, and ret holds zeros; -ENOENT: it has no entry; other -errno. */
int unitcounts_take(struct unitcounts *u, unsigned i, void *ret) _warn_unused_;
