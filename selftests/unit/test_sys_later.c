/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/later.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct job {
	unsigned *n_runs;
	unsigned wanted;
};

static uint64_t work(void *userdata)
{
	struct job *job = userdata;

	++*job->n_runs;
	return --job->wanted > 0 ? 1 : 0;
}

static const struct later_job kind = { .work = work, .free = free };

static struct job *job_new(unsigned *n_runs, unsigned wanted)
{
	struct job *job = malloc(sizeof(*job));

	assert_non_null(job);
	*job = (struct job){ .n_runs = n_runs, .wanted = wanted };
	return job;
}

static sd_event *event_make(void)
{
	sd_event *event = NULL;

	assert_true(sd_event_new(&event) >= 0);
	return event;
}

static void runs_once_more_for_each_pause_it_asks_for(void **state)
{
	sd_event *event = event_make();
	unsigned n_runs = 0;

	(void)state;
	assert_int_equal(later_run(event, 1, &kind, job_new(&n_runs, 3), NULL), 0);
	while (n_runs < 3)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
	/* It is over, and its memory is gone (the sanitizers say so). */
	assert_int_equal(sd_event_run(event, 0), 0);
	assert_int_equal(n_runs, 3);
	sd_event_unref(event);
}

static void frees_the_job_when_the_loop_ends_first(void **state)
{
	sd_event *event = event_make();
	unsigned n_runs = 0;

	(void)state;
	assert_int_equal(
		later_run(event, UINT64_C(1000000000000), &kind, job_new(&n_runs, 1), NULL), 0);
	sd_event_unref(event);
	assert_int_equal(n_runs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_once_more_for_each_pause_it_asks_for),
		cmocka_unit_test(frees_the_job_when_the_loop_ends_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
