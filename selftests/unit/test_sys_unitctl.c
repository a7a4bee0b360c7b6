/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/unitctl.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

#define UNIT     "a.service"
#define JOB_PATH "/org/freedesktop/systemd1/job/7"

/* A systemd of our own in a process of its own: the calls under test block. */
struct fake {
	const char *result; /* of a job; NULL: a stop is queued already */
	pid_t pid;
	sd_bus *client;
};

/* As systemd: a job of another kind is replaced only in mode "replace". */
static int on_job(sd_bus_message *m, const struct fake *f)
{
	const char *unit = NULL, *mode = NULL, *result = f->result ? f->result : "done";
	sd_bus *bus = sd_bus_message_get_bus(m);

	if (sd_bus_message_read(m, "ss", &unit, &mode) < 0)
		_exit(2);
	if (!f->result && !str_equal(mode, "replace"))
		return sd_bus_reply_method_errorf(
			m, "org.freedesktop.systemd1.TransactionIsDestructive",
			"Transaction for %s is destructive", unit);
	if (sd_bus_reply_method_return(m, "o", JOB_PATH) < 0)
		_exit(2);
	return sd_bus_emit_signal(bus, "/org/freedesktop/systemd1",
				  "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", 7,
				  JOB_PATH, unit, result);
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (!sd_bus_message_is_method_call(m, NULL, NULL))
		return 0;
	return on_job(m, userdata);
}

static _Noreturn void serve(int fd, struct fake *f)
{
	sd_id128_t id = { 0 };
	sd_bus *bus = NULL;
	int r = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sd_id128_randomize(&id) < 0 || sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
	    sd_bus_set_server(bus, true, id) < 0 || sd_bus_set_anonymous(bus, true) < 0 ||
	    sd_bus_set_trusted(bus, true) < 0 ||
	    sd_bus_set_sender(bus, "org.freedesktop.systemd1") < 0 ||
	    sd_bus_add_filter(bus, NULL, on_call, f) < 0 || sd_bus_start(bus) < 0)
		_exit(1);
	while (r >= 0) {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	}
	_exit(0);
}

static void start(struct fake *f)
{
	int fds[2] = { -EBADF, -EBADF };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		(void)close(fds[0]);
		serve(fds[1], f);
	}
	(void)close(fds[1]);
	assert_true(sd_bus_new(&f->client) >= 0);
	assert_true(sd_bus_set_fd(f->client, fds[0], fds[0]) >= 0);
	assert_true(sd_bus_start(f->client) >= 0);
}

static void end(struct fake *f)
{
	f->client = unitctl_close(f->client);
	(void)kill(f->pid, SIGKILL);
	assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
}

static uint64_t in_five_seconds(void)
{
	return clock_boot_ns() + 5 * NS_PER_S;
}

static void a_job_that_is_done_is_no_error(void **state)
{
	struct fake f = { .result = "done" };
	struct err err = { 0 };

	(void)state;
	start(&f);
	assert_int_equal(unitctl_run_job(f.client, "StartUnit", UNIT, in_five_seconds(), &err), 0);
	end(&f);
}

static void a_job_that_failed_says_how_it_ended(void **state)
{
	struct fake f = { .result = "canceled" };
	struct err err = { 0 };

	(void)state;
	start(&f);
	assert_int_equal(unitctl_run_job(f.client, "StartUnit", UNIT, in_five_seconds(), &err),
			 -EIO);
	assert_string_equal(err_text(&err),
			    "StartUnit of unit 'a.service': job ended as 'canceled'");
	end(&f);
}

static void an_administrators_queued_stop_wins_over_ours(void **state)
{
	static const char *const methods[] = { "StartUnit", "RestartUnit", "StopUnit" };
	struct fake f = { .result = NULL };

	(void)state;
	start(&f);
	for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
		struct err err = { 0 };

		assert_int_equal(unitctl_run_job(f.client, methods[i], UNIT, in_five_seconds(),
						 &err),
				 -EBUSY);
		assert_non_null(strstr(err_text(&err), "another job of it is queued"));
	}
	end(&f);
}

static void a_unit_of_our_own_is_stopped_whatever_is_queued(void **state)
{
	struct fake f = { .result = NULL };
	struct err err = { 0 };

	(void)state;
	start(&f);
	assert_int_equal(unitctl_stop_ours(f.client, UNIT, in_five_seconds(), &err), 0);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_that_is_done_is_no_error),
		cmocka_unit_test(a_job_that_failed_says_how_it_ended),
		cmocka_unit_test(an_administrators_queued_stop_wins_over_ours),
		cmocka_unit_test(a_unit_of_our_own_is_stopped_whatever_is_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
