/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <string.h>

#include "base/paths.h"
#include "base/str.h"
#include "ctl/options.h"
#include "ctl/output.h"

#define VERBS_MAX 64

static const struct verb_ops *find_verb(const char *name)
{
	for (size_t i = 0; verb_registry[i]; i++)
		if (str_equal(verb_registry[i]->name, name))
			return verb_registry[i];
	return NULL;
}

static int fail_unknown_verb(const struct ctl *ctl, const char *name)
{
	const char *names[VERBS_MAX + 1] = { NULL }, *nearest;
	char hint[96] = "see: aiopsctl --help";

	for (size_t i = 0; verb_registry[i] && i < VERBS_MAX; i++)
		names[i] = verb_registry[i]->name;
	nearest = str_nearest(name, names);
	if (nearest) {
		hint[0] = '\0';
		str_append(hint, sizeof(hint), "did you mean '%s'?", nearest);
	}
	return ctl_fail(ctl, CTL_USAGE, hint, "unknown command '%s'", name);
}

/* What could not be written was not said: a full disk behind a pipe is an error. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "aiopsctl: write output: %s\n", strerror(errno));
	return code == CTL_OK ? CTL_FAILED : code;
}

static int dispatch(struct ctl *ctl, unsigned given, int argc, char **argv)
{
	char *status[] = { (char *)"status", NULL };
	const struct verb_ops *verb;

	if (argc == 0 && ctl->help) {
		ctl_options_print_help(ctl);
		return CTL_OK;
	}
	if (argc == 0) {
		argc = 1;
		argv = status;
	}
	verb = find_verb(argv[0]);
	if (!verb)
		return fail_unknown_verb(ctl, argv[0]);
	if (ctl->help || (argc == 2 && str_equal(argv[1], "help"))) {
		ctl_options_print_verb(ctl, verb);
		return CTL_OK;
	}
	if (given & ~verb->options)
		return ctl_fail(ctl, CTL_USAGE, NULL, "'%s' does not take %s", verb->name,
				ctl_options_name(given & ~verb->options));
	return verb->run(ctl, argc, argv);
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .legend = true, .root = "/", .runtime_dir = AIOPS_RUNDIR };
	unsigned given = 0;
	int r;

	(void)setlocale(LC_CTYPE, ""); /* widths of characters; numbers stay as JSON wants them */
	ctl_options_environment(&ctl);
	r = ctl_options_parse(&ctl, &given, argc, argv);
	if (r < 0)
		r = dispatch(&ctl, given, argc - optind, argv + optind);
	return finish(r);
}
