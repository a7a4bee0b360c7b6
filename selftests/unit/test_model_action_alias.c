/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/tree.o */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/action_alias.h"
#include "selftests/unit/tree.h"

static const struct param_spec params[] = { { .name = "service", .type = PARAM_TYPE_SERVICE },
					    { .name = NULL } };
static const struct action_info actions[] = {
	{ .name = "service.restart", .params = params, .target = "service" },
	{ .name = NULL },
};

static int parse(const char *text, struct action_aliases *a, struct err *reterr)
{
	return aliases_parse("f", text, strlen(text), a, reterr);
}

static void reads_names_actions_and_fixed_parameters(void **state)
{
	struct action_aliases a = { 0 };
	const struct action_alias *one;

	(void)state;
	assert_int_equal(
		parse("aliases:\n"
		      "  - {name: restart-api, action: service.restart, params: {service: api}}\n"
		      "  - {name: all, action: x.y}\n",
		      &a, NULL),
		0);
	assert_int_equal(a.n, 2);
	one = aliases_find(&a, "restart-api");
	assert_string_equal(one->action, "service.restart");
	assert_int_equal(one->n_params, 1);
	assert_string_equal(one->params[0].name, "service");
	assert_string_equal(one->params[0].value, "api");
	assert_string_equal(one->origin, "f:2");
	assert_int_equal(aliases_find(&a, "all")->n_params, 0);
	assert_null(aliases_find(&a, "none"));
}

static void a_later_one_replaces_an_earlier_of_its_name(void **state)
{
	struct action_aliases a = { 0 };

	(void)state;
	assert_int_equal(
		parse("aliases: [{name: a, action: x, params: {service: old}}]\n", &a, NULL), 0);
	assert_int_equal(parse("aliases: [{name: a, action: y}]\n", &a, NULL), 0);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.v[0].action, "y");
	assert_int_equal(a.v[0].n_params, 0);
}

static void says_what_is_wrong_and_where(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", "f:1:1: 'aliases' is missing" },
		{ "aliases: x\n", "f:1:10: 'aliases': expected a list" },
		{ "aliases: [{name: a}]\n", "f:1:11: 'action' is missing" },
		{ "aliases: [{name: ../a, action: x}]\n", "f:1:18: '../a': expected letters" },
		{ "aliases: [{name: a, action: x, params: [1]}]\n",
		  "f:1:40: 'params': expected names" },
		{ "aliases: [{name: a, action: x, params: {p: [1]}}]\n",
		  "f:1:44: expected a text" },
		{ "aliases: [{name: a, action: x, command: rm}]\n",
		  "f:1:41: unknown key 'command'" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct action_aliases a = { 0 };
		struct err err = { 0 };

		if (parse(cases[i].text, &a, &err) >= 0 ||
		    strncmp(err_text(&err), cases[i].expected, strlen(cases[i].expected)) != 0)
			fail_msg("%s: %s", cases[i].text, err_text(&err));
	}
}

static void has_a_bound(void **state)
{
	struct action_aliases a = { 0 };
	char text[96];

	(void)state;
	for (unsigned i = 0; i <= ALIASES_MAX; i++) {
		text[0] = '\0';
		str_append(text, sizeof(text), "aliases: [{name: a%u, action: x}]\n", i);
		assert_int_equal(parse(text, &a, NULL), i < ALIASES_MAX ? 0 : -E2BIG);
	}
	assert_int_equal(a.n, ALIASES_MAX);
}

static void names_only_what_exists(void **state)
{
	struct action_aliases a = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
		parse("aliases: [{name: a, action: service.restart, params: {service: x}}]\n", &a,
		      NULL),
		0);
	assert_int_equal(alias_lint(&a.v[0], actions, NULL), 0);
	assert_int_equal(parse("aliases: [{name: a, action: service.restart, params: {unit: x}}]\n",
			       &a, NULL),
			 0);
	assert_int_equal(alias_lint(&a.v[0], actions, &err), -EINVAL);
	assert_string_equal(err_text(&err), "f:1: 'service.restart' has no parameter 'unit'");
	assert_int_equal(parse("aliases: [{name: a, action: rm}]\n", &a, NULL), 0);
	assert_int_equal(alias_lint(&a.v[0], actions, &err), -EINVAL);
	assert_string_equal(err_text(&err), "f:1: no action 'rm'");
}

static void trusts_only_what_root_wrote(void **state)
{
	const struct tree *t = *state;
	struct action_aliases a = { .n = 7 };

	assert_int_equal(aliases_load(t->fd, &a, NULL), 0);
	assert_int_equal(a.n, 0);
	if (geteuid() != 0)
		skip();
	tree_write(t, "etc/aiops/aliases.d/a.yaml", "aliases: [{name: a, action: x}]\n");
	assert_int_equal(aliases_load(t->fd, &a, NULL), 0);
	assert_int_equal(a.n, 1);
	assert_int_equal(fchownat(t->fd, "etc/aiops/aliases.d/a.yaml", 1000, 0, 0), 0);
	assert_int_equal(aliases_load(t->fd, &a, NULL), -EPERM);
	assert_int_equal(a.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_names_actions_and_fixed_parameters),
		cmocka_unit_test(a_later_one_replaces_an_earlier_of_its_name),
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test(has_a_bound),
		cmocka_unit_test(names_only_what_exists),
		cmocka_unit_test_setup_teardown(trusts_only_what_root_wrote, tree_setup,
						tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
