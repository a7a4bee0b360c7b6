/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* One JSON object a line on standard output. What nobody takes in time is dropped and counted. */

void log_request(const char *method, const char *path, unsigned status, uint64_t took_us,
		 const char *cause);

/* level: "info", "warning" or "error". */
void log_event(const char *level, const char *event, const char *detail);

uint64_t log_lost(void);
