/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"

/* Goes on with a piece of work after a pause, inside the event loop: what measures twice does not wait in
 * between. work() returns the next pause in nanoseconds, or 0 when it is done. job is from malloc(3) and
 * freed then, or with the loop; when this fails it stays the caller's.
 * Returns 0; -ENOMEM; other -errno of the timer. */
int later_run(sd_event *event, uint64_t pause_ns, uint64_t (*work)(void *job), void *job,
	      struct err *reterr) _warn_unused_;
