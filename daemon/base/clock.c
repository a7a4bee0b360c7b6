/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t clock_read_ns(clockid_t id)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_boot_ns(void)
{
	return clock_read_ns(CLOCK_BOOTTIME);
}

uint64_t clock_mono_us(void)
{
	return clock_read_ns(CLOCK_MONOTONIC) / NS_PER_US;
}

uint64_t clock_wall_us(void)
{
	return clock_read_ns(CLOCK_REALTIME) / NS_PER_US;
}

const char *clock_format_iso8601(uint64_t wall_us, char buf[static CLOCK_ISO8601_MAX])
{
	time_t s = (time_t)(wall_us / US_PER_S);
	struct tm tm = { 0 };
	char day[sizeof("2026-01-01T00:00:00")] = "";

	(void)gmtime_r(&s, &tm);
	(void)strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(buf, CLOCK_ISO8601_MAX, "%s.%06" PRIu64 "Z", day, wall_us % US_PER_S);
	return buf;
}

const char *clock_format_span(uint64_t span_ns, char buf[static CLOCK_SPAN_MAX])
{
	uint64_t s = span_ns / NS_PER_S;

	if (span_ns < NS_PER_S)
		(void)snprintf(buf, CLOCK_SPAN_MAX, "%" PRIu64 " ms", span_ns / NS_PER_MS);
	else if (s < 60)
		(void)snprintf(buf, CLOCK_SPAN_MAX, "%" PRIu64 ".%" PRIu64 " s", s,
			       span_ns % NS_PER_S / (100 * NS_PER_MS));
	else if (s < 3600)
		(void)snprintf(buf, CLOCK_SPAN_MAX, "%" PRIu64 " min %" PRIu64 " s", s / 60,
			       s % 60);
	else if (s < 86400)
		(void)snprintf(buf, CLOCK_SPAN_MAX, "%" PRIu64 " h %" PRIu64 " min", s / 3600,
			       s % 3600 / 60);
	else
		(void)snprintf(buf, CLOCK_SPAN_MAX, "%" PRIu64 " d %" PRIu64 " h", s / 86400,
			       s % 86400 / 3600);
	return buf;
}

void clock_sleep_ns(uint64_t span_ns)
{
	struct timespec left = { .tv_sec = (time_t)(span_ns / NS_PER_S),
				 .tv_nsec = (long)(span_ns % NS_PER_S) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}
