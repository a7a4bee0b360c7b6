/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A limit on what a unit may use, set by a drop-in of our own (sys/dropin.h) and looked up in the kernel.
 * Source: systemd.resource-control(5); kernel Documentation/admin-guide/cgroup-v2.rst. */

enum unit_limit_kind {
	UNIT_LIMIT_CPU_QUOTA,   /* per cent of one CPU */
	UNIT_LIMIT_MEMORY_HIGH, /* MiB */
	UNIT_LIMIT_MEMORY_MAX,  /* MiB */
	UNIT_LIMIT_TASKS_MAX,
	UNIT_LIMIT_IO_READ,  /* KiB per second, of the disk below "/" */
	UNIT_LIMIT_IO_WRITE, /* the same */
	UNIT_LIMIT_IO_WEIGHT,
	_UNIT_LIMIT_MAX,
};

struct unit_limit {
	int root_fd;
	void *bus; /* of unitctl_open() */
	const char *unit, *key;
	enum unit_limit_kind kind;
	uint64_t value;
	uint64_t deadline_ns;
	bool by_person; /* may bring into force what was edited and not reloaded */
	char *text;     /* what check() has to tell a person is appended here */
	size_t text_size;
};

/* What snapshot found. */
struct unit_limit_before {
	uint64_t value;   /* in the kernel's own measure */
	uint32_t has_dir; /* boolean: the directory of drop-ins was there before us */
	uint32_t reserved;
};

/* "20 % CPU time", "512 MiB of memory"; returns buf. */
const char *unit_limit_describe(const struct unit_limit *l, char *buf, size_t size);

/* May it be set? Returns 0; 1: it has that limit; -ERANGE: the value is out of the property's bounds; -EPERM:
 * the kernel would kill it at once, or somebody is editing the unit; -EOPNOTSUPP; -EBUSY; other -errno. */
int unit_limit_check(const struct unit_limit *l, struct err *reterr) _warn_unused_;

int unit_limit_snapshot(const struct unit_limit *l, struct unit_limit_before *ret,
			struct err *reterr) _warn_unused_;

/* Writes the drop-in and lets systemd read it. Returns 0; -EINPROGRESS; -errno. */
int unit_limit_apply(const struct unit_limit *l, struct err *reterr) _warn_unused_;

/* Waits until the kernel has it. Returns 0; -EIO with what it has instead; -ESRCH: the unit does not run. */
int unit_limit_verify(const struct unit_limit *l, struct err *reterr) _warn_unused_;

/* Takes it back; may be run again. Returns 0; -ECANCELED: somebody changed it since; -errno. */
int unit_limit_revert(const struct unit_limit *l, const struct unit_limit_before *before,
		      struct err *reterr) _warn_unused_;
