/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/later.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

struct later {
	const struct later_job *kind;
	void *job;
};

static void later_free(void *userdata)
{
	struct later *l = userdata;

	l->kind->free(l->job);
	free(l);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct later *l = userdata;
	uint64_t pause_ns = l->kind->work(l->job);

	(void)usec;
	if (pause_ns == 0) {
		/* Takes away the one reference there is, the loop's. */
		(void)sd_event_source_set_floating(source, false);
		return 0;
	}
	(void)sd_event_source_set_time_relative(source, pause_ns / NS_PER_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int later_run(sd_event *event, uint64_t pause_ns, const struct later_job *kind, void *job,
	      struct err *reterr)
{
	sd_event_source *source = NULL;
	struct later *l = malloc(sizeof(*l));
	int r = l ? 0 : -ENOMEM;

	if (l) {
		*l = (struct later){ .kind = kind, .job = job };
		/* 1 ms late at most: the share of a second is measured with it. */
		r = sd_event_add_time_relative(event, &source, CLOCK_BOOTTIME, pause_ns / NS_PER_US,
					       1000, on_time, l);
	}
	if (r < 0) {
		free(l);
		return err_set(reterr, r, "arm timer: %s", strerror(-r));
	}
	(void)sd_event_source_set_destroy_callback(source, later_free);
	(void)sd_event_source_set_floating(source, true);
	(void)sd_event_source_unref(source);
	return 0;
}
