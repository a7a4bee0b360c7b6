/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"

struct later_job {
	uint64_t (*work)(void *job); /* returns the next pause in nanoseconds; 0: it is done */
	void (*free)(void *job);
};

/* Goes on with a piece of work after a pause, inside the event loop: what measures twice does not wait in
 * between. The job is freed when it is done, or with the loop; when this fails it stays the caller's.
 * Returns 0; -ENOMEM; other -errno of the timer. */
int later_run(sd_event *event, uint64_t pause_ns, const struct later_job *kind, void *job,
	      struct err *reterr) _warn_unused_;
