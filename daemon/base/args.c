/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/args.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define HELP    'h'
#define VERSION 'v'
#define FIRST   256 /* the first of the program's own; above all letters */

static int name_length(const char *help)
{
	return (int)strcspn(help, " ");
}

static void fill(const struct arg args[], struct option ret[static ARGS_MAX + 3])
{
	size_t n = 0;

	ret[n++] = (struct option){ "help", no_argument, NULL, HELP };
	ret[n++] = (struct option){ "version", no_argument, NULL, VERSION };
	for (int i = 0; args[i].name; i++) {
		assert(i < ARGS_MAX);
		ret[n++] = (struct option){ args[i].name,
					    args[i].text ? required_argument : no_argument, NULL,
					    FIRST + i };
	}
	ret[n] = (struct option){ 0 };
}

int args_parse(int argc, char **argv, const struct arg args[], const char *help)
{
	struct option options[ARGS_MAX + 3];

	fill(args, options);
	for (int c; (c = getopt_long(argc, argv, "+h", options, NULL)) >= 0;) {
		if (c == HELP)
			return puts(help) < 0 ? -EIO : 0;
		if (c == VERSION)
			return printf("%.*s " AIOPS_VERSION "\n", name_length(help), help) < 0 ?
				       -EIO :
				       0;
		if (c < FIRST)
			return -EINVAL;
		if (args[c - FIRST].text)
			*args[c - FIRST].text = optarg;
		else
			*args[c - FIRST].flag = true;
	}
	return optind;
}

int args_refuse(const char *help)
{
	(void)fprintf(stderr, "%.*s: see %.*s --help\n", name_length(help), help, name_length(help),
		      help);
	return EX_USAGE;
}
