/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: selftests/unit/capture.o */
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/dispatch.h"
#include "ctl/options.h"
#include "selftests/unit/capture.h"

/* Two verbs in place of the real ones: what they got is kept. */
static struct {
	const char *verb;
	int argc;
	char last[32];
	struct ctl ctl;
} seen;

static int note(const char *verb, const struct ctl *ctl, int argc, char **argv)
{
	seen.verb = verb;
	seen.argc = argc;
	(void)str_copy(seen.last, sizeof(seen.last), argv[argc - 1]);
	seen.ctl = *ctl;
	return CTL_OK;
}

static int run_status(struct ctl *ctl, int argc, char **argv)
{
	return note("status", ctl, argc, argv);
}

static int run_incidents(struct ctl *ctl, int argc, char **argv)
{
	return note("incidents", ctl, argc, argv);
}

static const struct verb_ops verb_status = { .name = "status",
					     .group = "See",
					     .usage = "",
					     .summary = "what is",
					     .run = run_status };

static const struct verb_ops verb_incidents = {
	.name = "incidents",
	.group = "See",
	.usage = "[list|show ID|watch] and much more than fits",
	.summary = "what happened, and how it ended, told in so many words that they do not fit",
	.help = "A paragraph.",
	.options = OPT_SINCE | OPT_UNIT | OPT_LIMIT | OPT_WAIT | OPT_ID | OPT_FOLLOW | OPT_DRY_RUN,
	.run = run_incidents,
};

const struct verb_ops *const verb_registry[] = { &verb_incidents, &verb_status, NULL };

/* A command line of words without spaces, as main() takes it. */
static int run_line(const char *line, struct capture *c)
{
	struct ctl ctl = { .legend = true, .root = "/", .runtime_dir = "/run/aiops" };
	static char copy[512]; /* what the verb saw points into it */
	char *argv[32] = { (char *)"aiopsctl" }, *rest = NULL;
	unsigned given = 0;
	int argc = 1, r;

	(void)str_copy(copy, sizeof(copy), line);
	for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	optind = 0; /* getopt begins anew */
	seen.verb = NULL;
	capture_begin(c);
	r = ctl_options_parse(&ctl, &given, argc, argv);
	if (r < 0)
		r = ctl_dispatch(&ctl, given, argc - optind, argv + optind);
	capture_end(c);
	return r;
}

static const char *message_of(const char *json, char *buf, size_t size)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *e = NULL, *m = NULL;
	struct err err = { 0 };

	buf[0] = '\0';
	assert_int_equal(json_parse(json, strlen(json), &o, &err), 0);
	assert_true(json_object_object_get_ex(o, "error", &e));
	assert_true(json_object_object_get_ex(e, "message", &m));
	assert_true(json_object_object_get_ex(e, "code", NULL));
	(void)str_copy(buf, size, json_object_get_string(m));
	return buf;
}

static void no_command_means_status(void **state)
{
	struct capture c;

	(void)state;
	assert_int_equal(run_line("", &c), CTL_OK);
	assert_string_equal(seen.verb, "status");
	assert_int_equal(seen.argc, 1);
	assert_int_equal(run_line("--no-legend", &c), CTL_OK);
	assert_string_equal(seen.verb, "status");
	assert_false(seen.ctl.legend);
}

static void options_may_stand_anywhere(void **state)
{
	struct capture c;

	(void)state;
	assert_int_equal(run_line("incidents --limit 7 show -l abcd --unit=x.service", &c), CTL_OK);
	assert_string_equal(seen.verb, "incidents");
	assert_int_equal(seen.argc, 3);
	assert_string_equal(seen.last, "abcd");
	assert_int_equal(seen.ctl.rows_max, 7);
	assert_true(seen.ctl.full);
	assert_string_equal(seen.ctl.unit, "x.service");
}

static void what_follows_two_dashes_is_no_option(void **state)
{
	struct capture c;

	(void)state;
	assert_int_equal(run_line("incidents -- --limit=7", &c), CTL_OK);
	assert_string_equal(seen.last, "--limit=7");
	assert_int_equal(seen.ctl.rows_max, 0);
}

static void an_option_of_another_verb_is_refused(void **state)
{
	static const char *const lines[] = {
		"status --limit=7", "status --dry-run",     "--since=2h status",
		"status -f",        "incidents --yes",      "incidents --for=60s",
		"--unit=x.service", "incidents --reason=x", "incidents --state=open --limit=3",
	};
	struct capture c;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
		assert_int_equal(run_line(lines[i], &c), CTL_USAGE);
		assert_null(seen.verb);
		assert_string_equal(c.out, "");
		assert_non_null(strstr(c.err, "does not take --"));
	}
}

static void a_bad_value_is_named_with_what_was_expected(void **state)
{
	static const char *const lines[] = {
		"incidents --limit=0",    "incidents --limit=501",  "incidents --limit=x",
		"incidents --unit=nginx", "incidents --since=soon", "incidents --wait=0",
		"incidents --wait=fast",  "incidents --id=123",     "incidents --unit=../x.service",
	};
	struct capture c;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
		assert_int_equal(run_line(lines[i], &c), CTL_USAGE);
		assert_null(seen.verb);
		assert_non_null(strstr(c.err, ": expected "));
	}
}

static void spans_and_ids_arrive_as_numbers(void **state)
{
	struct capture c;

	(void)state;
	assert_int_equal(run_line("incidents --wait=5min --id=0123456789abcdef0123456789abcdef",
				  &c),
			 CTL_OK);
	assert_true(seen.ctl.wait);
	assert_int_equal(seen.ctl.wait_ns, 300 * NS_PER_S);
	assert_string_equal(seen.ctl.id, "0123456789abcdef0123456789abcdef");
}

static void tells_unknown_from_incomplete_options(void **state)
{
	struct capture c;

	(void)state;
	assert_int_equal(run_line("incidents --bad", &c), CTL_USAGE);
	assert_non_null(strstr(c.err, "unknown option '--bad'"));
	assert_int_equal(run_line("-x", &c), CTL_USAGE);
	assert_non_null(strstr(c.err, "unknown option '-x'"));
	assert_int_equal(run_line("incidents --limmit=3", &c), CTL_USAGE);
	assert_non_null(strstr(c.err, "'--limmit=3', did you mean '--limit'?"));
	assert_int_equal(run_line("incidents --limit", &c), CTL_USAGE);
	assert_non_null(strstr(c.err, "option '--limit' needs a value"));
	assert_int_equal(run_line("incidents --dry-run=yes", &c), CTL_USAGE);
	assert_non_null(strstr(c.err, "--dry-run"));
}

static void an_error_is_json_wherever_json_was_asked_for(void **state)
{
	static const char *const lines[] = {
		"--json --bad",           "--bad --json",          "-jx",
		"incidents --limit=x -j", "nonsense --json=short", "status --dry-run --json",
		"--json=nonsense",        "-j incidents --limit",
	};
	char text[256] = "";
	struct capture c;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
		assert_int_equal(run_line(lines[i], &c), CTL_USAGE);
		assert_string_equal(c.err, "");
		assert_true(message_of(c.out, text, sizeof(text))[0] != '\0');
	}
}

static void json_modes_are_told(void **state)
{
	struct capture c;

	(void)state;
	assert_int_equal(run_line("--json=help", &c), CTL_OK);
	assert_string_equal(c.out, "pretty\nshort\noff\n");
	assert_int_equal(run_line("incidents --json=off", &c), CTL_OK);
	assert_int_equal(seen.ctl.json, JSON_MODE_OFF);
	assert_int_equal(run_line("incidents --json=short", &c), CTL_OK);
	assert_int_equal(seen.ctl.json, JSON_MODE_SHORT);
	assert_int_equal(run_line("incidents -j", &c), CTL_OK);
	assert_int_equal(seen.ctl.json, JSON_MODE_PRETTY);
}

static size_t longest_line(const char *text)
{
	size_t longest = 0;

	while (*text) {
		size_t n = strcspn(text, "\n");

		longest = n > longest ? n : longest;
		text += n + (text[n] == '\n');
	}
	return longest;
}

static void help_is_there_in_each_form_and_fits(void **state)
{
	static const char *const lines[] = { "incidents --help", "incidents help", "-h incidents",
					     "--help incidents list" };
	struct capture c;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
		assert_int_equal(run_line(lines[i], &c), CTL_OK);
		assert_null(seen.verb);
		assert_non_null(strstr(c.out, "A paragraph."));
		assert_non_null(strstr(c.out, "--since=WHEN"));
		assert_null(strstr(c.out, "--reason"));
		assert_true(longest_line(c.out) < 80);
	}
	assert_int_equal(run_line("--help", &c), CTL_OK);
	assert_non_null(strstr(c.out, "  incidents ... "));
	assert_true(longest_line(c.out) < 80);
}

static void an_unknown_command_suggests_the_nearest(void **state)
{
	struct capture c;

	(void)state;
	assert_int_equal(run_line("statsu", &c), CTL_USAGE);
	assert_non_null(strstr(c.err, "did you mean 'status'?"));
	assert_int_equal(run_line("incident", &c), CTL_USAGE);
	assert_non_null(strstr(c.err, "did you mean 'incidents'?"));
	assert_int_equal(run_line("xyz", &c), CTL_USAGE);
	assert_null(strstr(c.err, "did you mean"));
	assert_int_equal(run_line("--help xyz", &c), CTL_USAGE);
}

static void colour_follows_the_environment(void **state)
{
	struct ctl ctl = { 0 };

	(void)state;
	(void)unsetenv("SYSTEMD_COLORS");
	(void)unsetenv("AIOPS_COLORS");
	(void)setenv("NO_COLOR", "", 1);
	ctl_options_environment(&ctl);
	assert_false(ctl.colour);
	(void)setenv("SYSTEMD_COLORS", "1", 1);
	ctl_options_environment(&ctl);
	assert_true(ctl.colour);
	(void)setenv("AIOPS_COLORS", "0", 1);
	ctl_options_environment(&ctl);
	assert_false(ctl.colour);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_command_means_status),
		cmocka_unit_test(options_may_stand_anywhere),
		cmocka_unit_test(what_follows_two_dashes_is_no_option),
		cmocka_unit_test(an_option_of_another_verb_is_refused),
		cmocka_unit_test(a_bad_value_is_named_with_what_was_expected),
		cmocka_unit_test(spans_and_ids_arrive_as_numbers),
		cmocka_unit_test(tells_unknown_from_incomplete_options),
		cmocka_unit_test(an_error_is_json_wherever_json_was_asked_for),
		cmocka_unit_test(json_modes_are_told),
		cmocka_unit_test(help_is_there_in_each_form_and_fits),
		cmocka_unit_test(an_unknown_command_suggests_the_nearest),
		cmocka_unit_test(colour_follows_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
