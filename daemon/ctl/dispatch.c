/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/dispatch.h"

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

int ctl_dispatch(struct ctl *ctl, unsigned given, int argc, char **argv)
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
