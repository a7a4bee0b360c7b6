/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

#define LIFECYCLE_COMM_MAX   16          /* TASK_COMM_LEN */
#define LIFECYCLE_UNITS_MAX  256         /* cgroups whose deaths are told */
#define LIFECYCLE_NAMES_MAX  16          /* package managers */
#define LIFECYCLE_RING_BYTES (64 * 1024) /* 1,000 events */
/* Per CPU and kind: a fork bomb must neither keep the agent busy nor hide an OOM kill. */
#define LIFECYCLE_EVENTS_PER_S 256

enum lifecycle_kind {
	LIFECYCLE_KIND_EXIT,     /* by a signal or with a code other than 0 */
	LIFECYCLE_KIND_OOM,      /* chosen as the victim of the OOM killer */
	LIFECYCLE_KIND_PACKAGES, /* exec of a package manager, but in a container */
	_LIFECYCLE_KIND_MAX,
};

enum lifecycle_drop { LIFECYCLE_DROP_FULL, LIFECYCLE_DROP_RATE, _LIFECYCLE_DROP_MAX };

struct lifecycle_event {
	__u64 t_ns; /* CLOCK_BOOTTIME */
	__u64 cgroup_id;
	__u32 kind;
	__u32 pid;
	__u32 exit_code; /* as wait(2) gives it: signal in the low 7 bits, code above bit 8 */
	__u32 reserved;
	char comm[LIFECYCLE_COMM_MAX];
};
