/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/service.h"
#include "selftests/unit/tree.h"

static const char api[] =
	"name: api\n"
	"container: shop-api\n"
	"depends_on: [db]\n"
	"cache_dir: /var/cache/shop\n"
	"temp_dirs: [/tmp, /var/tmp/shop]\n"
	"log_dirs: [/var/log/shop]\n"
	"tracked_files: [/etc/shop/a.conf]\n"
	"env_file:\n"
	"  path: /etc/shop/env\n"
	"  secrets:\n"
	"    - {key: DB_PASSWORD, bytes: 24, postgres_role: shop, postgres_service: db}\n"
	"    - {key: SESSION_SECRET}\n"
	"upstream:\n"
	"  key: RATES_URL\n"
	"  primary: http://127.0.0.1:9001\n"
	"  fallback: http://127.0.0.1:9002\n"
	"  health_path: /healthz\n";

static const char db[] = "name: db\n"
			 "unit: postgresql@15-main.service\n"
			 "database:\n"
			 "  socket_dir: /run/postgresql\n"
			 "  name: shop\n"
			 "  owner: shop_owner\n"
			 "  owner_credential: shop-owner\n"
			 "  required_tables: [lists, items]\n";

static struct service parse(const char *text)
{
	struct service s = { 0 };
	struct err err = { 0 };

	if (service_parse("f", text, strlen(text), &s, &err) < 0)
		fail_msg("%s", err_text(&err));
	return s;
}

static void reads_what_actions_need(void **state)
{
	struct service s = parse(api);
	struct entity e = service_entity(&s);

	(void)state;
	assert_int_equal(e.kind, ENTITY_KIND_CONTAINER);
	assert_string_equal(e.name, "shop-api");
	assert_string_equal(s.depends_on[0], "db");
	assert_string_equal(s.cache_dir, "/var/cache/shop");
	assert_int_equal(s.temp_dirs.n, 2);
	assert_string_equal(s.log_dirs.v[0], "/var/log/shop");
	assert_string_equal(s.tracked_files.v[0], "/etc/shop/a.conf");
	assert_string_equal(s.env_file.path, "/etc/shop/env");
	assert_int_equal(s.env_file.n_secrets, 2);
	assert_int_equal(s.env_file.secrets[0].bytes, 24);
	assert_string_equal(s.env_file.secrets[0].postgres_role, "shop");
	assert_string_equal(s.env_file.secrets[0].postgres_service, "db");
	assert_int_equal(s.env_file.secrets[1].bytes, 32);
	assert_string_equal(s.upstream.fallback, "http://127.0.0.1:9002");
	assert_string_equal(s.upstream.health_path, "/healthz");
	assert_string_equal(s.database.socket_dir, "");
}

static void a_database_has_defaults(void **state)
{
	struct service s = parse(db);

	(void)state;
	assert_string_equal(s.database.socket_dir, "/run/postgresql");
	assert_int_equal(s.database.port, 5432);
	assert_string_equal(s.database.maintenance_name, "postgres");
	assert_string_equal(s.database.owner_credential, "shop-owner");
	assert_string_equal(s.database.operator, "");
	assert_int_equal(s.database.keep_old_s, 86400);
	assert_int_equal(s.required_tables.n, 2);
	assert_string_equal(s.required_tables.v[1], "items");
}

static void refuse(const char *text, const char *expected)
{
	struct service s = { 0 };
	struct err err = { 0 };
	char whole[1024] = "name: a\nunit: a.service\n";
	int r;

	str_append(whole, sizeof(whole), "%s", text);
	r = service_parse("f", whole, strlen(whole), &s, &err);
	if (r >= 0 || !strstr(err_text(&err), expected))
		fail_msg("%s: got %d, %s; expected %s", text, r, err_text(&err), expected);
}

static void says_what_is_wrong_and_where(void **state)
{
	(void)state;
	refuse("container: a1\n", "f:1:1: expected one of 'unit' and 'container'");
	refuse("depends_on: ['a b']\n", "f:3:14: 'a b': expected letters");
	refuse("cache_dir: /\n", "f:3:12: '/': expected an absolute path");
	refuse("cache_dir: /etc\n", "f:3:12: '/etc': too much is in there");
	refuse("cache_dir: /var/../etc\n", "f:3:12: '/var/../etc': expected an absolute path");
	refuse("cache_dir: /var/cache/a/\n", "expected an absolute path");
	refuse("log_dirs: [/var]\n", "f:3:12: '/var': too much");
	refuse("tracked_files: [etc/x]\n", "expected an absolute path");
	refuse("env_file: {secrets: []}\n", "'path' is missing");
	refuse("env_file: {path: /e/f, secrets: [{key: 1A}]}\n",
	       "'1A': expected a variable's name");
	refuse("env_file: {path: /e/f, secrets: [{key: A=B}]}\n", "expected a variable's name");
	refuse("env_file: {path: /e/f, secrets: [{key: A, bytes: 15}]}\n", "'bytes' is '15'");
	refuse("env_file: {path: /e/f, secrets: [{key: A}, {key: A}]}\n", "'A' is there twice");
	refuse("env_file: {path: /e/f, secrets: [{key: A, postgres_role: r}]}\n",
	       "expected both of 'postgres_role' and 'postgres_service'");
	refuse("env_file: {path: /e/f, secrets: [{key: A, value: x}]}\n", "unknown key 'value'");
}

static void a_database_is_named_without_quotes_and_reached_by_a_socket(void **state)
{
	(void)state;
	refuse("database: {socket_dir: /r, name: 'a b', owner: o}\n", "'a b': expected lower-case");
	refuse("database: {socket_dir: /r, name: a, owner: 'o;'}\n", "'o;': expected lower-case");
	refuse("database: {socket_dir: /r, name: 1a, owner: o}\n", "'1a': expected lower-case");
	refuse("database: {socket_dir: localhost, name: a, owner: o}\n",
	       "expected an absolute path");
	refuse("database: {name: a, owner: o}\n", "'socket_dir' is missing");
	refuse("database: {socket_dir: /r, name: a, owner: o, password: x}\n",
	       "unknown key 'password'");
	refuse("database: {socket_dir: /r, name: a, owner: o, owner_credential: ../x}\n",
	       "'../x': expected letters");
	refuse("database: {socket_dir: /r, name: a, owner: o, required_tables: [b, 'c; DROP']}\n",
	       "'c; DROP': expected lower-case");
}

static void an_upstream_is_two_urls_of_a_variable(void **state)
{
	(void)state;
	refuse("upstream: {key: A, primary: 'http://a/', fallback: 'http://b/', health_path: /h}\n",
	       "needs an 'env_file'");
	refuse("env_file: {path: /e/f}\n"
	       "upstream: {key: A, primary: 'http://a/', fallback: 'http://a/', health_path: /h}\n",
	       "two different URLs");
	refuse("env_file: {path: /e/f}\n"
	       "upstream: {key: A, primary: 'http://u:p@a/', fallback: 'http://b/', "
	       "health_path: /h}\n",
	       "without a password");
	refuse("env_file: {path: /e/f}\n"
	       "upstream: {key: A, primary: 'http://a/', fallback: 'http://b/', "
	       "health_path: 'h?x'}\n",
	       "expected a path");
}

static void refuse_load(const struct tree *t, const char *expected)
{
	struct services s = { 0 };
	struct err err = { 0 };

	assert_int_equal(services_load(t->fd, &s, &err), -EINVAL);
	assert_string_equal(err_text(&err), expected);
}

static void what_services_refer_to_is_there(void **state)
{
	_cleanup_(services_done) struct services s = { 0 };
	const struct tree *t = *state;

	tree_write(t, "etc/aiops/services.d/api.yaml", api);
	refuse_load(t, "load services: 'api' depends on 'db', which is not there");
	tree_write(t, "etc/aiops/services.d/db.yaml", "name: db\nunit: db.service\n");
	refuse_load(t, "load services: 'api' has a secret in 'db', which is no database");
	tree_write(t, "etc/aiops/services.d/db.yaml", db);
	assert_int_equal(services_load(t->fd, &s, NULL), 0);
	assert_ptr_equal(services_find(&s, "db"),
			 services_find_unit(&s, "postgresql@15-main.service"));
	assert_null(services_find(&s, "shop"));
}

static void nothing_depends_on_itself(void **state)
{
	const struct tree *t = *state;

	tree_write(t, "etc/aiops/services.d/a.yaml", "name: a\nunit: a.service\n");
	tree_write(t, "etc/aiops/services.d/b.yaml",
		   "name: b\nunit: b.service\ndepends_on: [a, c]\n");
	tree_write(t, "etc/aiops/services.d/c.yaml", "name: c\nunit: c.service\ndepends_on: [b]\n");
	refuse_load(t, "load services: 'b' is in a circle of depends_on");
	tree_write(t, "etc/aiops/services.d/b.yaml", "name: b\nunit: b.service\ndepends_on: [b]\n");
	refuse_load(t, "load services: 'b' is in a circle of depends_on");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_actions_need),
		cmocka_unit_test(a_database_has_defaults),
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test(a_database_is_named_without_quotes_and_reached_by_a_socket),
		cmocka_unit_test(an_upstream_is_two_urls_of_a_variable),
		cmocka_unit_test_setup_teardown(what_services_refer_to_is_there, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(nothing_depends_on_itself, tree_setup,
						tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
