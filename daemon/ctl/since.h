/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* A point in time as a person gives it: "10min" or "2h" (ago), "today", "yesterday",
 * "2026-01-31[ 12:00[:00]]" (local time), "@SECONDS". now_us and *ret_us: microseconds since the epoch.
 * Returns 0; -EINVAL. */
int since_parse(const char *text, uint64_t now_us, uint64_t *ret_us);
