/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/since.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"

static uint64_t midnight_us(uint64_t now_us, int days_back)
{
	time_t s = (time_t)(now_us / US_PER_S);
	struct tm tm = { 0 };

	(void)localtime_r(&s, &tm);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_mday -= days_back;
	tm.tm_isdst = -1;
	s = mktime(&tm);
	return s < 0 ? 0 : (uint64_t)s * US_PER_S;
}

static int parse_date(const char *text, uint64_t *ret_us)
{
	static const char *const formats[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, formats[i], &tm);
		int day = tm.tm_mday;
		time_t s;

		if (!end || *end)
			continue;
		s = mktime(&tm);
		if (s < 0 || tm.tm_mday != day) /* before the epoch; the 30th of February */
			return -EINVAL;
		*ret_us = (uint64_t)s * US_PER_S;
		return 0;
	}
	return -EINVAL;
}

int since_parse(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	uint64_t v = 0;

	if (str_equal(text, "today"))
		*ret_us = midnight_us(now_us, 0);
	else if (str_equal(text, "yesterday"))
		*ret_us = midnight_us(now_us, 1);
	else if (text[0] == '@' && str_parse_u64(text + 1, &v) == 0 && v < UINT64_MAX / US_PER_S)
		*ret_us = v * US_PER_S;
	else if (str_parse_span_ns(text, &v) == 0)
		*ret_us = v / NS_PER_US < now_us ? now_us - v / NS_PER_US : 0;
	else
		return parse_date(text, ret_us);
	return 0;
}
