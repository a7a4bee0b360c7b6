/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/verb.h"

/* Colour, terminal and the like from the environment: NO_COLOR, AIOPS_COLORS, SYSTEMD_COLORS, TERM. */
void ctl_options_environment(struct ctl *ctl);

/* Parses the command line (options may stand anywhere). *ret_given: OPT_... that were there.
 * Returns -1 to go on with the verb at optind (or its help), else the exit code. */
int ctl_options_parse(struct ctl *ctl, unsigned *ret_given, int argc, char **argv);

/* "--dry-run" for the lowest bit that is set. */
const char *ctl_options_name(unsigned bits);

/* Both fit into 80 columns. */
void ctl_options_print_help(const struct ctl *ctl);
void ctl_options_print_verb(const struct ctl *ctl, const struct verb_ops *verb);
