/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* The end of what an action did for a time only is PID 1's: a transient timer of the attempt's own starts
 * the service of the same name then, which undoes it, whoever of us lives. systemd keeps it over
 * a reload and a re-execution, and forgets it when it has elapsed or was stopped.
 * Source: systemd.timer(5), OnStartupSec=; org.freedesktop.systemd1(5), StartTransientUnit(). */

/* Arms the timer of service ("aiops-expire@KEY.service") for span_ns from now. bus: of unitctl_open(); NULL is -ENOTCONN. Returns 0
 * when systemd has it running; -errno: it has not, or nobody can tell. */
int expiry_arm(void *bus, const char *service, uint64_t span_ns, struct err *reterr) _warn_unused_;

/* Stops the timer, if there is one and systemd answers. One that stays does nothing any more when its
 * undo record is gone. */
void expiry_disarm(void *bus, const char *service);
