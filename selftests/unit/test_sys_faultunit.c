/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "selftests/unit/tree.h"
#include "sys/faultunit.h"
#include "sys/unitctl.h"

#define KEY   "0123456789abcdef0123456789abcdef"
#define OTHER "01234567ffffffff0123456789abcdef"
#define UNIT  "aiops-fault@" KEY ".service"

static const struct params no_params;
static const struct fault_request request = {
	.fault = "net.delay",
	.params = &no_params,
	.duration_ns = NS_PER_S,
	.key = KEY,
	.requester = "test",
};

/* systemd, and the runner that it would have started. */
static struct {
	const struct tree *tree;
	unsigned starts, stops;
	int job_result;
	enum fault_state state_after_start, state_after_stop;
	int error;
	const char *active_state;
} host;

static void put_status(const char *key, enum fault_state state, int error)
{
	struct fault_status s = { .fault = "net.delay", .error = error, .text = "because" };
	_cleanup_json_ struct json_object *o = NULL;
	char name[FAULT_FILE_NAME_MAX] = "";

	(void)str_copy(s.key, sizeof(s.key), key);
	fault_status_enter(&s, state, 1000 + host.starts);
	assert_int_equal(fault_status_to_json(&s, &o), 0);
	(void)unlinkat(host.tree->fd, fault_file_name(key, ".status", name), 0);
	tree_write(host.tree,
		   fault_file_name(key, state == FAULT_STATE_VERIFIED ? ".result" : ".status",
				   name),
		   json_object_to_json_string(o));
}

int unitctl_run_job(void *bus, const char *method, const char *unit, uint64_t deadline_ns,
		    struct err *reterr)
{
	(void)bus;
	assert_true(deadline_ns > 0);
	assert_string_equal(unit, UNIT);
	assert_string_equal(method, "StartUnit");
	host.starts++;
	put_status(KEY, host.state_after_start, host.error);
	return host.job_result < 0 ? err_set(reterr, host.job_result, "the job failed") : 0;
}

int unitctl_stop_ours(void *bus, const char *unit, uint64_t deadline_ns, struct err *reterr)
{
	(void)bus;
	assert_true(deadline_ns > 0);
	assert_string_equal(unit, UNIT);
	host.stops++;
	put_status(KEY, host.state_after_stop, host.error);
	return host.job_result < 0 ? err_set(reterr, host.job_result, "the job failed") : 0;
}

int unitctl_read(void *bus, const char *unit, struct unit_facts *ret, struct err *reterr)
{
	(void)bus;
	(void)reterr;
	assert_string_equal(unit, UNIT);
	*ret = (struct unit_facts){ 0 };
	return str_copy(ret->active_state, sizeof(ret->active_state), host.active_state);
}

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	memset(&host, 0, sizeof(host));
	host.tree = *state;
	host.state_after_start = FAULT_STATE_INJECTED;
	host.state_after_stop = FAULT_STATE_VERIFIED;
	host.active_state = "active";
	return 0;
}

static void writes_the_record_and_waits_until_it_is_injected(void **state)
{
	struct fault_status s = { 0 };
	struct fault_record record = { 0 };
	struct err err = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(fault_unit_inject(NULL, host.tree->fd, &request, &s, &err), 0);
	assert_int_equal(s.state, FAULT_STATE_INJECTED);
	assert_int_equal(sealed_read(host.tree->fd, KEY, &record, sizeof(record), FAULT_KIND_RECORD,
				     FAULT_VERSION, &err),
			 0);
	assert_int_equal(fault_record_check(&record, KEY, &err), 0);
	assert_string_equal(record.requester, "test");
	assert_int_equal(fstatat(host.tree->fd, KEY, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_key_asked_for_twice_is_done_once(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fault_unit_inject(NULL, host.tree->fd, &request, &s, &err), 0);
	assert_int_equal(fault_unit_inject(NULL, host.tree->fd, &request, &s, &err), 0);
	assert_int_equal(host.starts, 1);
}

static void tells_a_refusal_in_the_runners_words(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	host.state_after_start = FAULT_STATE_REFUSED;
	host.error = -EPERM;
	host.job_result = -EIO;
	assert_int_equal(fault_unit_inject(NULL, host.tree->fd, &request, &s, &err), -EPERM);
	assert_string_equal(err_text(&err), "because");
}

static void leaves_no_record_where_systemd_is_not_reached(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	host.job_result = -ENOTCONN;
	assert_int_equal(fault_unit_inject(NULL, host.tree->fd, &request, &s, &err), -ENOTCONN);
	assert_int_equal(faccessat(host.tree->fd, KEY, F_OK, 0), -1);
}

static void refuses_a_bad_key_or_duration_before_anything_is_written(void **state)
{
	struct fault_request q = request;
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	q.key = "../../etc/passwd";
	assert_int_equal(fault_unit_inject(NULL, host.tree->fd, &q, &s, &err), -EINVAL);
	q = request;
	q.duration_ns = FAULT_DURATION_MAX_NS + 1;
	assert_true(fault_unit_inject(NULL, host.tree->fd, &q, &s, &err) < 0);
	assert_int_equal(host.starts, 0);
}

static void stops_a_running_unit_to_recover(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	put_status(KEY, FAULT_STATE_OBSERVED, 0);
	assert_int_equal(fault_unit_recover(NULL, host.tree->fd, "0123", &s, &err), 1);
	assert_int_equal(host.stops, 1);
	assert_int_equal(host.starts, 0);
	assert_int_equal(s.state, FAULT_STATE_VERIFIED);
	assert_int_equal(fault_unit_recover(NULL, host.tree->fd, "0123", &s, &err), 0);
	assert_int_equal(host.stops, 1);
}

static void starts_a_stuck_one_once_more_to_recover(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	host.active_state = "inactive";
	put_status(KEY, FAULT_STATE_STUCK, -EPERM);
	host.state_after_start = FAULT_STATE_VERIFIED;
	assert_int_equal(fault_unit_recover(NULL, host.tree->fd, KEY, &s, &err), 1);
	assert_int_equal(host.starts, 1);
}

static void says_when_something_is_left(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	put_status(KEY, FAULT_STATE_OBSERVED, 0);
	host.state_after_stop = FAULT_STATE_STUCK;
	assert_int_equal(fault_unit_recover(NULL, host.tree->fd, KEY, &s, &err), -EBUSY);
	assert_non_null(strstr(err_text(&err), "because"));
	assert_int_equal(fault_unit_recover_all(NULL, host.tree->fd, &err), -EBUSY);
}

static void recovers_all_that_are_there(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fault_unit_recover_all(NULL, host.tree->fd, &err), 0);
	put_status(KEY, FAULT_STATE_OBSERVED, 0);
	assert_int_equal(fault_unit_recover_all(NULL, host.tree->fd, &err), 1);
}

static void finds_a_fault_by_the_front_of_its_key(void **state)
{
	struct fault_status s = { 0 };
	struct err err = { 0 };

	(void)state;
	put_status(KEY, FAULT_STATE_OBSERVED, 0);
	put_status(OTHER, FAULT_STATE_VERIFIED, 0);
	assert_int_equal(fault_unit_read(host.tree->fd, "01234567ff", &s, &err), 0);
	assert_string_equal(s.key, OTHER);
	assert_int_equal(fault_unit_read(host.tree->fd, "01234567", &s, &err), -ENOTUNIQ);
	assert_int_equal(fault_unit_read(host.tree->fd, "012", &s, &err), -ENOTUNIQ);
	assert_int_equal(fault_unit_read(host.tree->fd, "ffff", &s, &err), -ENOENT);
}

static void lists_ended_ones_only_when_asked_to_and_skips_what_is_torn(void **state)
{
	static struct fault_status list[FAULT_UNIT_LIST_MAX];
	struct err err = { 0 };

	(void)state;
	put_status(KEY, FAULT_STATE_OBSERVED, 0);
	host.starts = 5;
	put_status(OTHER, FAULT_STATE_VERIFIED, 0);
	tree_write(host.tree, "ffffffffffffffffffffffffffffffff.status", "{\"key\":");
	assert_int_equal(fault_unit_list(host.tree->fd, false, list, FAULT_UNIT_LIST_MAX, &err), 1);
	assert_int_equal(fault_unit_list(host.tree->fd, true, list, FAULT_UNIT_LIST_MAX, &err), 2);
	assert_string_equal(list[0].key, OTHER);
	assert_int_equal(fault_unit_list(host.tree->fd, true, list, 1, &err), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)
		T(writes_the_record_and_waits_until_it_is_injected),
		T(a_key_asked_for_twice_is_done_once),
		T(tells_a_refusal_in_the_runners_words),
		T(leaves_no_record_where_systemd_is_not_reached),
		T(refuses_a_bad_key_or_duration_before_anything_is_written),
		T(stops_a_running_unit_to_recover),
		T(starts_a_stuck_one_once_more_to_recover),
		T(says_when_something_is_left),
		T(recovers_all_that_are_there),
		T(finds_a_fault_by_the_front_of_its_key),
		T(lists_ended_ones_only_when_asked_to_and_skips_what_is_torn),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
