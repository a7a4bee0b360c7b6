/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "sys/expiry.h"
#include "sys/unitctl.h"

/* Arms and disarms the timer of an attempt at the systemd behind /run/systemd/private.
 *
 *   timerctl arm SERVICE SPAN
 *   timerctl disarm SERVICE */

int main(int argc, char **argv)
{
	_cleanup_(unitctl_closep) void *bus = NULL;
	struct err err = { 0 };
	uint64_t span_ns = 0;
	int r = unitctl_open(&bus, &err);

	if (r == 0 && argc == 4 && str_equal(argv[1], "arm")) {
		r = str_parse_span_ns(argv[3], &span_ns);
		if (r == 0)
			r = expiry_arm(bus, argv[2], span_ns, &err);
	} else if (r == 0 && argc == 3 && str_equal(argv[1], "disarm")) {
		expiry_disarm(bus, argv[2]);
	} else if (r == 0) {
		(void)fputs("timerctl: bad arguments\n", stderr);
		return 2;
	}
	if (r < 0)
		(void)fprintf(stderr, "timerctl: %s\n", err_text(&err));
	return r < 0;
}
