/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/output.h"

/* What passed and what failed of a list of checks. */
struct tally {
	unsigned passed, failed;
	struct json_object *results;
};

/* Tells of one check, which passed if r >= 0. */
void tally_add(const struct ctl *ctl, struct tally *t, const char *name, int r,
	       const struct err *err);

/* Tells the numbers. Returns enum ctl_exit. */
int tally_finish(const struct ctl *ctl, struct tally *t);
