/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/* One TCP socket as the iterator meets it: first all that listen, then the others. */
struct listeners_socket {
	__u64 cgroup;  /* id of the cgroup that made it; 0: it does not listen */
	__u32 waiting; /* connections that are complete and that nobody has accepted */
};
