/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#define NS_PER_US      UINT64_C(1000)
#define NS_PER_MS      UINT64_C(1000000)
#define NS_PER_S       UINT64_C(1000000000)
#define US_PER_S       UINT64_C(1000000)
#define CLOCK_NEVER_NS UINT64_MAX

/* CLOCK_BOOTTIME in nanoseconds: goes on while suspended, never set back. All deadlines use it. */
uint64_t clock_boot_ns(void);

/* CLOCK_MONOTONIC in microseconds: systemd's "...TimestampMonotonic" properties. */
uint64_t clock_mono_us(void);

/* Microseconds since the epoch, for people and records only. */
uint64_t clock_wall_us(void);

#define CLOCK_ISO8601_MAX sizeof("2026-01-01T00:00:00.000000Z")

/* Writes "2026-01-01T00:00:00.000000Z" for microseconds since the epoch; returns buf. */
const char *clock_format_iso8601(uint64_t wall_us, char buf[static CLOCK_ISO8601_MAX]);

#define CLOCK_SPAN_MAX 32

/* Writes a span as a person says it ("840 ms", "1.2 s", "4 min 10 s"); returns buf. */
const char *clock_format_span(uint64_t span_ns, char buf[static CLOCK_SPAN_MAX]);

/* Waits this long. For programs that may block (steps, faults, aiopsctl), never in a daemon. */
void clock_sleep_ns(uint64_t span_ns);
