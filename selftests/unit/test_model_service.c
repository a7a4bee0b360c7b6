/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/service.h"
#include "selftests/unit/tree.h"

static const char full[] = "name: api\n"
			   "unit: api.service\n"
			   "endpoints:\n"
			   "  - name: api-health\n"
			   "    url: http://127.0.0.1:8080/healthz\n"
			   "    interval_ms: 500\n"
			   "    timeout_ms: 800\n"
			   "    slow_ms: 100\n"
			   "    expect_status: 204\n"
			   "  - {name: api-port, url: 'tcp://127.0.0.1:8080'}\n"
			   "config_paths: [/etc/api, /etc/default/api]\n";

static void reads_every_field(void **state)
{
	struct service s = { 0 };

	(void)state;
	assert_int_equal(service_parse("f", full, strlen(full), &s, NULL), 0);
	assert_string_equal(s.name, "api");
	assert_string_equal(s.unit, "api.service");
	assert_int_equal(s.n_endpoints, 2);
	assert_string_equal(s.endpoints[0].url, "http://127.0.0.1:8080/healthz");
	assert_int_equal(s.endpoints[0].interval_ms, 500);
	assert_int_equal(s.endpoints[0].timeout_ms, 800);
	assert_int_equal(s.endpoints[0].slow_ms, 100);
	assert_int_equal(s.endpoints[0].expect_status, 204);
	assert_int_equal(s.config_paths.n, 2);
	assert_string_equal(s.config_paths.v[1], "/etc/default/api");
}

static void fills_defaults(void **state)
{
	struct service s = { 0 };

	(void)state;
	assert_int_equal(service_parse("f", full, strlen(full), &s, NULL), 0);
	assert_int_equal(s.endpoints[1].interval_ms, 1000);
	assert_int_equal(s.endpoints[1].timeout_ms, 1000);
	assert_int_equal(s.endpoints[1].slow_ms, 250);
	assert_int_equal(s.endpoints[1].expect_status, 200);
}

static void refuse(const char *text, const char *expected)
{
	struct service s = { .config_paths.n = 5 };
	struct err err = { 0 };
	int r = service_parse("f", text, strlen(text), &s, &err);

	if (r >= 0 || strncmp(err_text(&err), expected, strlen(expected)) != 0)
		fail_msg("%s: got %d, %s; expected %s", text, r, err_text(&err), expected);
	assert_int_equal(s.config_paths.n, 5);
}

static void says_what_is_wrong_and_where(void **state)
{
	(void)state;
	refuse("", "f:1:1: 'name' is missing");
	refuse("name: api\n", "f:1:1: expected one of 'unit' and 'container'");
	refuse("name: a b\nunit: a.service\n", "f:1:7: 'a b': expected letters");
	refuse("name: .a\nunit: a.service\n", "f:1:7: '.a': expected letters");
	refuse("name: a\nunit: a\n", "f:2:7: 'a': expected a unit's full name");
	refuse("name: a\nunit: ../a.service\n", "f:2:7: ");
	refuse("name: a\nunits: a.service\n", "f:2:8: unknown key 'units', did you mean 'unit'?");
	refuse("name: a\nunit: a.service\nendpoints: {}\n", "f:3:12: 'endpoints': expected a list");
	refuse("name: a\nunit: a.service\nconfig_paths: [etc/x]\n",
	       "f:3:16: 'etc/x': expected an absolute path");
	refuse("name: a\nunit: a.service\nconfig_paths: [/etc/../x]\n", "f:3:16: ");
	refuse("name: a\nunit: a.service\nconfig_paths: [/etc/..]\n", "f:3:16: ");
	refuse("name: a\nunit: a.service\nconfig_paths: [1,2,3,4,5,6,7,8,9]\n",
	       "f:3:32: 'config_paths': more than 8 entries");
}

static void refuse_url(const char *url)
{
	char text[512] = "";

	str_append(text, sizeof(text),
		   "name: a\nunit: a.service\nendpoints: [{name: e, url: '%s'}]\n", url);
	refuse(text, "f:3:");
}

static void takes_only_urls_it_can_probe(void **state)
{
	(void)state;
	refuse_url("ftp://x/");
	refuse_url("127.0.0.1:80");
	refuse_url("http://");
	refuse_url("http://:80/");
	refuse_url("http://user:password@x/");
	refuse_url("http://x/a b");
	refuse_url("http://x/\"");
	refuse_url("http://x/`id`");
	refuse_url("tcp://x");
	refuse_url("tcp://x:");
	refuse_url("tcp://x:80/path");
	refuse_url("file:///etc/shadow");
}

static void numbers_have_bounds(void **state)
{
	(void)state;
	refuse("name: a\nunit: a.service\nendpoints: [{name: e, url: 'http://x/', interval_ms: 199}]\n",
	       "f:3:54: 'interval_ms' is '199': expected a whole number from 200 to 60000");
	refuse("name: a\nunit: a.service\nendpoints: [{name: e, url: 'http://x/', slow_ms: 0}]\n",
	       "f:3:50: 'slow_ms' is '0'");
	refuse("name: a\nunit: a.service\nendpoints: [{name: e, url: 'http://x/', timeout_ms: 1s}]\n",
	       "f:3:53: 'timeout_ms' is '1s'");
}

static void loads_all_files_and_finds_by_unit_and_endpoint(void **state)
{
	_cleanup_(services_done) struct services s = { 0 };
	const struct endpoint *e = NULL;
	const struct tree *t = *state;
	struct err err = { 0 };

	tree_write(t, "usr/lib/aiops/services.d/50-api.yaml", full);
	tree_write(t, "etc/aiops/services.d/60-db.yaml", "name: db\nunit: postgresql.service\n");
	assert_int_equal(services_load(t->fd, &s, &err), 0);
	assert_int_equal(s.n, 2);
	assert_string_equal(services_find_unit(&s, "postgresql.service")->name, "db");
	assert_null(services_find_unit(&s, "nginx.service"));
	assert_null(services_find_unit(NULL, "nginx.service"));
	assert_string_equal(services_find_endpoint(&s, "api-port", &e)->name, "api");
	assert_string_equal(e->url, "tcp://127.0.0.1:8080");
	assert_null(services_find_endpoint(&s, "none", &e));
}

static void nothing_is_managed_where_there_is_no_file(void **state)
{
	_cleanup_(services_done) struct services s = { 0 };
	const struct tree *t = *state;

	assert_int_equal(services_load(t->fd, &s, NULL), 0);
	assert_int_equal(s.n, 0);
}

static void one_bad_file_fails_the_whole_load(void **state)
{
	struct services s = { .n = 9 };
	const struct tree *t = *state;
	struct err err = { 0 };

	tree_write(t, "etc/aiops/services.d/a.yaml", full);
	tree_write(t, "etc/aiops/services.d/b.yaml", "name: x\nunit: [\n");
	assert_int_equal(services_load(t->fd, &s, &err), -EBADMSG);
	assert_non_null(strstr(err_text(&err), "/etc/aiops/services.d/b.yaml:3:1: "));
	assert_int_equal(s.n, 9);
}

static void refuses_a_name_unit_or_endpoint_twice(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "name: api\nunit: b.service\n",
		  "/etc/aiops/services.d/b.yaml:1:1: service 'api' is there twice" },
		{ "name: b\nunit: api.service\n",
		  "/etc/aiops/services.d/b.yaml:1:1: unit 'api.service' is there twice" },
		{ "name: b\nunit: b.service\nendpoints: [{name: api-port, url: 'http://x/'}]\n",
		  "/etc/aiops/services.d/b.yaml:1:1: endpoint 'api-port' is there twice" },
		{ "name: b\nunit: b.service\nendpoints: [{name: e, url: 'http://x/'}, "
		  "{name: e, url: 'http://y/'}]\n",
		  "/etc/aiops/services.d/b.yaml:1:1: endpoint 'e' is there twice" },
	};
	const struct tree *t = *state;

	tree_write(t, "etc/aiops/services.d/a.yaml", full);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct services s = { 0 };
		struct err err = { 0 };

		tree_write(t, "etc/aiops/services.d/b.yaml", cases[i].text);
		assert_int_equal(services_load(t->fd, &s, &err), -EINVAL);
		assert_string_equal(err_text(&err), cases[i].expected);
	}
}

static void refuses_more_services_than_its_bound(void **state)
{
	struct services s = { 0 };
	const struct tree *t = *state;
	struct err err = { 0 };

	for (int i = 0; i <= SERVICES_MAX; i++) {
		char path[64] = "", text[64] = "";

		str_append(path, sizeof(path), "etc/aiops/services.d/%03d.yaml", i);
		str_append(text, sizeof(text), "name: s%d\nunit: s%d.service\n", i, i);
		tree_write(t, path, text);
	}
	assert_int_equal(services_load(t->fd, &s, &err), -E2BIG);
	assert_string_equal(err_text(&err),
			    "/etc/aiops/services.d/064.yaml:1:1: more than 64 services");
}

static void who_acts_on_it_trusts_only_roots_files(void **state)
{
	_cleanup_(services_done) struct services s = { 0 };
	const struct tree *t = *state;
	struct err err = { 0 };

	if (geteuid() != 0)
		skip(); /* files of root cannot be made without being it */
	tree_write(t, "etc/aiops/services.d/a.yaml", full);
	assert_int_equal(services_load_trusted(t->fd, &s, &err), 0);
	services_done(&s);
	tree_chmod(t, "etc/aiops/services.d", 0775);
	assert_int_equal(services_load(t->fd, &s, &err), 0);
	services_done(&s);
	assert_int_equal(services_load_trusted(t->fd, &s, &err), -EPERM);
	assert_string_equal(err_text(&err),
			    "read '/etc/aiops/services.d': writable by others than root");
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_field),
		cmocka_unit_test(fills_defaults),
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test(takes_only_urls_it_can_probe),
		cmocka_unit_test(numbers_have_bounds),
		TREE_TEST(loads_all_files_and_finds_by_unit_and_endpoint),
		TREE_TEST(nothing_is_managed_where_there_is_no_file),
		TREE_TEST(one_bad_file_fails_the_whole_load),
		TREE_TEST(refuses_a_name_unit_or_endpoint_twice),
		TREE_TEST(refuses_more_services_than_its_bound),
		TREE_TEST(who_acts_on_it_trusts_only_roots_files),
	};

	return cmocka_run_group_tests(tests, tree_become_root, NULL);
}
