/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/paths.h"
#include "base/str.h"
#include "ctl/options.h"
#include "ctl/output.h"

static const struct verb_ops *find_verb(const char *name)
{
	for (size_t i = 0; verb_registry[i]; i++)
		if (str_equal(verb_registry[i]->name, name))
			return verb_registry[i];
	return NULL;
}

/* Letters that differ, position by position, plus the difference in length: enough to guess a typing
 * error in a short word. */
static size_t word_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), shorter = la < lb ? la : lb;
	size_t d = la > lb ? la - lb : lb - la;

	for (size_t i = 0; i < shorter; i++)
		d += a[i] != b[i] && (i == 0 || a[i] != b[i - 1]);
	return d;
}

static int fail_unknown_verb(const struct ctl *ctl, const char *name)
{
	const char *nearest = NULL;
	size_t best = 4;
	char hint[96] = "see: aiopsctl --help";

	for (size_t i = 0; verb_registry[i]; i++) {
		size_t d = word_distance(name, verb_registry[i]->name);

		if (d < best) {
			best = d;
			nearest = verb_registry[i]->name;
		}
	}
	if (nearest) {
		hint[0] = '\0';
		str_append(hint, sizeof(hint), "did you mean '%s'?", nearest);
	}
	return ctl_fail(ctl, CTL_USAGE, hint, "unknown command '%s'", name);
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .legend = true, .root = "/", .runtime_dir = AIOPS_RUNDIR };
	const struct verb_ops *verb;
	unsigned given = 0;
	int r;

	ctl_options_environment(&ctl);
	r = ctl_options_parse(&ctl, &given, argc, argv);
	if (r >= 0)
		return r;
	argc -= optind;
	argv += optind;
	verb = find_verb(argc > 0 ? argv[0] : "status");
	if (!verb)
		return fail_unknown_verb(&ctl, argv[0]);
	if (argc > 1 && str_equal(argv[1], "help")) {
		ctl_options_print_verb(&ctl, verb);
		return CTL_OK;
	}
	if (given & ~verb->options)
		return ctl_fail(&ctl, CTL_USAGE, NULL, "'%s' does not take %s", verb->name,
				ctl_options_name(given & ~verb->options));
	return verb->run(&ctl, argc > 0 ? argc : 1,
			 argc > 0 ? argv : (char *[]){ (char *)"status", NULL });
}
