/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* The command line of our programs but for aiopsctl: a few long options before the arguments. */

#define ARGS_MAX 8 /* options of one program */

/* One option, "--NAME TEXT" or the flag "--NAME". A list ends with .name == NULL. */
struct arg {
	const char *name;
	const char **text; /* gets what follows; NULL: a flag */
	bool *flag;
};

/* Parses argv up to the first argument that is no option. --help and --version are answered here. help begins
 * with the program's name. Returns the index of the first argument, > 0; 0: answered, all is done; -EINVAL: said
 * on standard error what is wrong. */
int args_parse(int argc, char **argv, const struct arg args[], const char *help);

/* Says on standard error where the help is. Returns EX_USAGE. */
int args_refuse(const char *help);
