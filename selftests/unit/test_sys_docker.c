/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/docker.h"

/* What a Docker 20.10.24 of Debian 12 answered, recorded; it is the fuzzer's corpus, too. */
#define RECORDED "selftests/fuzz/corpus/fuzz_docker/"
#define TEXT_MAX (16 * 1024)

static char text[TEXT_MAX];

static size_t record(const char *name)
{
	char path[128] = RECORDED;
	ssize_t n;

	str_append(path, sizeof(path), "%s", name);
	n = fd_read_file(AT_FDCWD, path, text, sizeof(text));
	assert_true(n > 0);
	return (size_t)n;
}

/* The recorded answer with one thing changed. */
static size_t record_with(const char *name, const char *from, const char *to)
{
	char rest[TEXT_MAX];
	char *at;

	(void)record(name);
	at = strstr(text, from);
	assert_non_null(at);
	(void)str_copy(rest, sizeof(rest), at + strlen(from));
	*at = '\0';
	str_append(text, sizeof(text), "%s%s", to, rest);
	return strlen(text);
}

static void expect_bad_facts(const char *from, const char *to, const char *why)
{
	struct docker_facts f;
	struct err err = { 0 };
	size_t n = record_with("inspect_healthy", from, to);

	assert_int_equal(docker_parse_facts(text, n, &f, &err), -EBADMSG);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", to, err.text);
}

static void facts(const char *name, struct docker_facts *f)
{
	struct err err = { 0 };

	assert_int_equal(docker_parse_facts(text, record(name), f, &err), 0);
}

static void a_running_container_is_read_whole(void **state)
{
	struct docker_facts f;

	(void)state;
	facts("inspect_healthy", &f);
	assert_string_equal(f.name, "web");
	assert_int_equal(f.state, DOCKER_STATE_RUNNING);
	assert_int_equal(f.health, DOCKER_HEALTH_HEALTHY);
	assert_true(f.pid > 1 && strncmp(f.started_at, "2026-", 5) == 0);
	assert_int_equal(f.limits.memory_bytes, 64 << 20);
	assert_int_equal(f.limits.memory_swap_bytes, 128 << 20);
	assert_int_equal(f.limits.pids, 50);
	assert_int_equal(f.limits.nano_cpus, 0);
	assert_true(f.is_restarted_by_docker && !f.is_oom_killed);
	assert_string_equal(docker_facts_label(&f, "com.docker.compose.project"), "shop");
	assert_null(docker_facts_label(&f, "none"));
	assert_false(docker_facts_is_at_rest(&f));
}

static void how_a_container_ended_tells_rest_from_failure(void **state)
{
	struct docker_facts f;

	(void)state;
	facts("inspect_oom", &f);
	assert_true(f.is_oom_killed && f.exit_code == 137);
	assert_false(docker_facts_is_at_rest(&f));
	f.is_oom_killed = false;
	assert_false(docker_facts_is_at_rest(&f)); /* kill -9 */
	f.exit_code = 143;
	assert_true(docker_facts_is_at_rest(&f));
	facts("inspect_stopped", &f);
	/* Docker killed it when it did not stop, and does not start it again: someone stopped it. */
	assert_true(f.exit_code == 137 && docker_facts_is_at_rest(&f));
	f.has_error = true;
	assert_false(docker_facts_is_at_rest(&f));
	facts("inspect_paused", &f);
	assert_int_equal(f.state, DOCKER_STATE_PAUSED);
	assert_int_equal(f.health, DOCKER_HEALTH_NONE);
}

static void what_is_not_as_docker_says_it_is_refused_by_name(void **state)
{
	(void)state;
	expect_bad_facts("{\"Id\":\"", "{\"Id\":\"x", "field 'Id'");
	expect_bad_facts("\"Status\":\"running\"", "\"Status\":\"flying\"", "'flying'");
	expect_bad_facts("\"Name\":\"/web\"", "\"Name\":\"/../etc\"", "field 'Name'");
	expect_bad_facts("\"Pid\":", "\"Pid\":\"1\",\"x\":", "field 'Pid'");
	expect_bad_facts("\"Memory\":67108864", "\"Memory\":99999999999999999999",
			 "field 'Memory'");
	expect_bad_facts("\"Status\":\"healthy\"", "\"Status\":\"merry\"", "field 'Health'");
	expect_bad_facts("\"HostConfig\":{", "\"Id\":\"again\",\"HostConfig\":{", "same key twice");
	expect_bad_facts("\"State\":{", "\"State\":[{", "parse JSON");
}

static void a_program_may_print_what_it_likes_into_its_health_log(void **state)
{
	struct docker_facts f;
	size_t n = record_with("inspect_healthy", "\"Output\":\"\"",
			       "\"Output\":\"\\u0000\\u001b[2J\xc2\x85\"");

	(void)state;
	assert_int_equal(docker_parse_facts(text, n, &f, NULL), 0);
	assert_int_equal(f.health, DOCKER_HEALTH_HEALTHY);
}

static void an_inventory_names_every_container_but_those_that_lost_theirs(void **state)
{
	struct docker_listed v[4] = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(docker_parse_list(text, record("list"), v, ELEMENTSOF(v), &err), 3);
	assert_string_equal(v[0].name, "shop.db-1");
	assert_int_equal(v[0].state, DOCKER_STATE_PAUSED);
	assert_int_equal(docker_parse_list(text, record("list"), v, 2, &err), -E2BIG);
	assert_non_null(strstr(err.text, "more than 2"));
	assert_int_equal(docker_parse_list(text, record_with("list", "[\"/web\"]", "[]"), v,
					   ELEMENTSOF(v), &err),
			 2);
	/* A link's alias is another container's word. */
	assert_int_equal(docker_parse_list(text,
					   record_with("list", "[\"/web\"]",
						       "[\"/shop.db-1/web\",\"/web\"]"),
					   v, ELEMENTSOF(v), &err),
			 3);
	assert_string_equal(v[2].name, "web");
}

static void what_is_used_leaves_out_the_file_cache(void **state)
{
	struct docker_usage u = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(docker_parse_usage(text, record("stats"), &u, NULL), 0);
	assert_true(u.memory_bytes > 100000 && u.pids >= 1);
	n = record_with("stats", "\"total_inactive_file\":0", "\"total_inactive_file\":100000");
	assert_true(u.memory_bytes > 100000);
	{
		struct docker_usage less = { 0 };

		assert_int_equal(docker_parse_usage(text, n, &less, NULL), 0);
		assert_int_equal(less.memory_bytes, u.memory_bytes - 100000);
	}
	/* One that is stopped has neither. */
	(void)str_copy(text, sizeof(text), "{\"pids_stats\":{},\"memory_stats\":{}}");
	assert_int_equal(docker_parse_usage(text, strlen(text), &u, NULL), 0);
	assert_int_equal(u.memory_bytes, 0);
}

static void only_what_ends_a_container_counts_among_its_events(void **state)
{
	char *line;

	(void)state;
	assert_int_equal(docker_parse_events(text, record("events"), NULL), 1);
	/* The last one is a SIGHUP. */
	text[strlen(text) - 1] = '\0';
	line = strrchr(text, '\n') + 1;
	assert_int_equal(docker_parse_events(line, strlen(line), NULL), 0);
	assert_int_equal(docker_parse_events("", 0, NULL), 0);
	assert_int_equal(docker_parse_events("{\n", 2, NULL), -EBADMSG);
}

static void the_newest_version_that_both_speak_is_taken(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(docker_negotiate("1.41", "", &err), 41);     /* Debian 12's 20.10 */
	assert_int_equal(docker_negotiate("1.52", "1.44", &err), 52); /* Engine 29 */
	assert_int_equal(docker_negotiate("1.60", "1.44", &err), 52);
	assert_int_equal(docker_negotiate("1.60", "1.53", &err), -EPROTONOSUPPORT);
	assert_string_equal(err.text,
			    "it speaks API 1.53 at least, and the newest we speak is 1.52");
	assert_int_equal(docker_negotiate("1.24", "", &err), -EPROTONOSUPPORT);
	assert_string_equal(err.text,
			    "it speaks API 1.24 at most, and the oldest we speak is 1.40");
	assert_int_equal(docker_negotiate("2.0", "", &err), -EBADMSG);
	assert_int_equal(docker_negotiate("1.41/../x", "", &err), -EBADMSG);
	assert_int_equal(docker_negotiate("1.", "", &err), -EBADMSG);
}

static void the_oldest_version_is_read_from_its_own_answer(void **state)
{
	char oldest[16];

	(void)state;
	assert_int_equal(docker_parse_version(text, record("version"), oldest, NULL), 0);
	assert_string_equal(oldest, "1.12");
	assert_int_equal(docker_parse_version("{}", 2, oldest, NULL), -EBADMSG);
}

static void a_name_is_a_word_and_never_a_path(void **state)
{
	static const char *const bad[] = { "",     "/web", "../x", ".web",  "-web", "_web",
					   "we b", "a/b",  "a?b",  "a%2fb", "w\n",  "a\"b" };
	char long_name[DOCKER_NAME_MAX + 1];

	(void)state;
	assert_true(docker_is_name("web") && docker_is_name("shop.db-1_x"));
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_false(docker_is_name(bad[i]));
	memset(long_name, 'a', sizeof(long_name));
	long_name[DOCKER_NAME_MAX] = '\0';
	assert_false(docker_is_name(long_name));
}

static void a_filter_takes_a_dot_for_a_dot(void **state)
{
	char buf[512];

	(void)state;
	assert_string_equal(docker_format_filter("db.1", buf, sizeof(buf)),
			    "%7B%22name%22%3A%5B%22%5E%2Fdb%5B.%5D1%24%22%5D%7D");
}

static void an_update_names_only_what_it_changes(void **state)
{
	const struct docker_limits l = { .memory_bytes = 1 << 20,
					 .memory_swap_bytes = -1,
					 .pids = 7 };
	char buf[256];

	(void)state;
	assert_string_equal(docker_format_limits(&l, buf, sizeof(buf)),
			    "{\"Memory\":1048576,\"MemorySwap\":-1,\"PidsLimit\":7}");
	assert_string_equal(docker_format_limits(&(struct docker_limits){ 0 }, buf, sizeof(buf)),
			    "{}");
}

static void a_refusal_is_one_clean_line(void **state)
{
	char buf[128];

	(void)state;
	assert_string_equal(docker_parse_message(text, record("no_such"), buf, sizeof(buf)),
			    "No such container: nope");
	assert_non_null(strstr(docker_parse_message(text, record("too_old"), buf, sizeof(buf)),
			       "client version 1.11 is too old"));
	assert_string_equal(docker_parse_message("a\x1b[2J\nb", 7, buf, sizeof(buf)), "a\\x1b[2J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_container_is_read_whole),
		cmocka_unit_test(how_a_container_ended_tells_rest_from_failure),
		cmocka_unit_test(what_is_not_as_docker_says_it_is_refused_by_name),
		cmocka_unit_test(a_program_may_print_what_it_likes_into_its_health_log),
		cmocka_unit_test(an_inventory_names_every_container_but_those_that_lost_theirs),
		cmocka_unit_test(what_is_used_leaves_out_the_file_cache),
		cmocka_unit_test(only_what_ends_a_container_counts_among_its_events),
		cmocka_unit_test(the_newest_version_that_both_speak_is_taken),
		cmocka_unit_test(the_oldest_version_is_read_from_its_own_answer),
		cmocka_unit_test(a_name_is_a_word_and_never_a_path),
		cmocka_unit_test(a_filter_takes_a_dot_for_a_dot),
		cmocka_unit_test(an_update_names_only_what_it_changes),
		cmocka_unit_test(a_refusal_is_one_clean_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
