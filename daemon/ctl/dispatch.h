/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/verb.h"

/* Runs the verb that argv[0] names ("status" where argc is 0), or prints its help. given: OPT_... of
 * the command line; one that the verb does not take is refused. Returns enum ctl_exit. */
int ctl_dispatch(struct ctl *ctl, unsigned given, int argc, char **argv);
